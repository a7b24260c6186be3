package api

import (
	"encoding/json"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// resources reads the contract's ResourceSpec.
func resources(in *wire.ResourceSpecInput) *slipway.Resources {
	if in == nil {
		return nil
	}
	return &slipway.Resources{
		Server:       slipway.Share{CPU: in.CPU, CPULimit: in.CPULimit, MemoryMB: in.MemoryMb, MemoryLimitMB: in.MemoryLimitMb, MinScale: in.MinScale, MaxScale: in.MaxScale},
		Queue:        slipway.Share{CPU: in.QueueCPU, CPULimit: in.QueueCPULimit, MemoryMB: in.QueueMemoryMb, MemoryLimitMB: in.QueueMemoryLimitMb, MinScale: in.QueueMinScale, MaxScale: in.QueueMaxScale},
		Core:         slipway.Share{CPU: in.CoreCPU, CPULimit: in.CoreCPULimit, MemoryMB: in.CoreMemoryMb, MemoryLimitMB: in.CoreMemoryLimitMb},
		Orchestrator: slipway.Share{CPU: in.OrchestratorCPU, CPULimit: in.OrchestratorCPULimit, MemoryMB: in.OrchestratorMemoryMb, MemoryLimitMB: in.OrchestratorMemoryLimitMb, MinScale: in.OrchestratorMinScale, MaxScale: in.OrchestratorMaxScale},
		Executor:     slipway.Share{CPU: in.ExecutorCPU, CPULimit: in.ExecutorCPULimit, MemoryMB: in.ExecutorMemoryMb, MemoryLimitMB: in.ExecutorMemoryLimitMb},
		Redis:        slipway.Share{CPU: in.RedisCPU, CPULimit: in.RedisCPULimit, MemoryMB: in.RedisMemoryMb, MemoryLimitMB: in.RedisMemoryLimitMb},
		Database:     slipway.Share{CPU: in.DBCPU, CPULimit: in.DBCPULimit, MemoryMB: in.DBMemoryMb, MemoryLimitMB: in.DBMemoryLimitMb},

		DatabaseStorageGi: in.DBStorageGi, DatabaseMaxConnections: in.DBMaxConnections,
		Pod: podOf(in),
	}
}

// podOf keeps what only a cluster understands as the contract writes it.
func podOf(in *wire.ResourceSpecInput) string {
	text, _ := json.Marshal(wire.ResourceSpecInput{ // plain data: it can not fail
		Labels: in.Labels, Annotations: in.Annotations, ServiceAccountName: in.ServiceAccountName, ImagePullSecrets: in.ImagePullSecrets,
		Volumes: in.Volumes, VolumeMounts: in.VolumeMounts, InitContainers: in.InitContainers, Sidecars: in.Sidecars,
	})
	if string(text) == "{}" {
		return ""
	}
	return string(text)
}

func presentResources(r *slipway.Resources) *wire.ResourceSpecOutput {
	if r == nil {
		return nil
	}
	out := new(wire.ResourceSpecOutput)
	if r.Pod != "" {
		_ = json.Unmarshal([]byte(r.Pod), out) // written by podOf
	}
	s := r.Server
	out.CPU, out.CPULimit, out.MemoryMb, out.MemoryLimitMb, out.MinScale, out.MaxScale = s.CPU, s.CPULimit, s.MemoryMB, s.MemoryLimitMB, s.MinScale, s.MaxScale
	s = r.Queue
	out.QueueCPU, out.QueueCPULimit, out.QueueMemoryMb, out.QueueMemoryLimitMb, out.QueueMinScale, out.QueueMaxScale = s.CPU, s.CPULimit, s.MemoryMB, s.MemoryLimitMB, s.MinScale, s.MaxScale
	s = r.Core
	out.CoreCPU, out.CoreCPULimit, out.CoreMemoryMb, out.CoreMemoryLimitMb = s.CPU, s.CPULimit, s.MemoryMB, s.MemoryLimitMB
	s = r.Orchestrator
	out.OrchestratorCPU, out.OrchestratorCPULimit, out.OrchestratorMemoryMb, out.OrchestratorMemoryLimitMb, out.OrchestratorMinScale, out.OrchestratorMaxScale = s.CPU, s.CPULimit, s.MemoryMB, s.MemoryLimitMB, s.MinScale, s.MaxScale
	s = r.Executor
	out.ExecutorCPU, out.ExecutorCPULimit, out.ExecutorMemoryMb, out.ExecutorMemoryLimitMb = s.CPU, s.CPULimit, s.MemoryMB, s.MemoryLimitMB
	s = r.Redis
	out.RedisCPU, out.RedisCPULimit, out.RedisMemoryMb, out.RedisMemoryLimitMb = s.CPU, s.CPULimit, s.MemoryMB, s.MemoryLimitMB
	s = r.Database
	out.DBCPU, out.DBCPULimit, out.DBMemoryMb, out.DBMemoryLimitMb = s.CPU, s.CPULimit, s.MemoryMB, s.MemoryLimitMB
	out.DBStorageGi, out.DBMaxConnections = r.DatabaseStorageGi, r.DatabaseMaxConnections
	return out
}
