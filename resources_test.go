package slipway_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
)

func TestResourcesAreCompleted(t *testing.T) {
	for name, c := range map[string]struct{ given, want slipway.Resources }{
		"nothing given, nothing filled": {},
		"limits are twice the request, the queue is like the server": {
			slipway.Resources{Server: slipway.Share{CPU: new(1.0), MemoryMB: new(512), MinScale: new(1), MaxScale: new(3)}},
			slipway.Resources{
				Server: slipway.Share{CPU: new(1.0), CPULimit: new(2.0), MemoryMB: new(512), MemoryLimitMB: new(1024), MinScale: new(1), MaxScale: new(3)},
				Queue:  slipway.Share{CPU: new(1.0), CPULimit: new(2.0), MemoryMB: new(512), MemoryLimitMB: new(1024), MinScale: new(1), MaxScale: new(3)},
			},
		},
		"what is given stays": {
			slipway.Resources{
				Server: slipway.Share{CPU: new(1.0), CPULimit: new(1.5)},
				Queue:  slipway.Share{CPU: new(4.0)},
			},
			slipway.Resources{
				Server: slipway.Share{CPU: new(1.0), CPULimit: new(1.5)},
				Queue:  slipway.Share{CPU: new(4.0), CPULimit: new(8.0)},
			},
		},
		"cores are rounded to tenths": {
			slipway.Resources{Core: slipway.Share{CPU: new(0.26), CPULimit: new(0.96)}, Database: slipway.Share{CPU: new(0.01)}},
			slipway.Resources{Core: slipway.Share{CPU: new(0.3), CPULimit: new(1.0)}, Database: slipway.Share{CPU: new(0.1), CPULimit: new(0.2)}},
		},
		"Redis' memory is limited to its request": {
			slipway.Resources{Redis: slipway.Share{CPU: new(0.5), MemoryMB: new(100)}},
			slipway.Resources{Redis: slipway.Share{CPU: new(0.5), CPULimit: new(1.0), MemoryMB: new(100), MemoryLimitMB: new(100)}},
		},
	} {
		got, err := c.given.Complete()
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

func TestResourcesThatMakeNoSense(t *testing.T) {
	for field, r := range map[string]slipway.Resources{
		"cpu_limit":              {Server: slipway.Share{CPU: new(2.0), CPULimit: new(1.0)}},
		"queue_cpu_limit":        {Queue: slipway.Share{CPU: new(2.0), CPULimit: new(1.0)}},
		"memory_limit_mb":        {Server: slipway.Share{MemoryMB: new(2), MemoryLimitMB: new(1)}},
		"memory_mb":              {Server: slipway.Share{MemoryMB: new(-1)}},
		"redis_memory_mb":        {Redis: slipway.Share{MemoryMB: new(math.MaxInt)}},
		"max_scale":              {Server: slipway.Share{MinScale: new(2), MaxScale: new(1)}},
		"min_scale":              {Server: slipway.Share{MinScale: new(-1)}},
		"queue_max_scale":        {Queue: slipway.Share{MaxScale: new(0)}},
		"orchestrator_cpu":       {Orchestrator: slipway.Share{CPU: new(-0.1)}},
		"executor_cpu_limit":     {Executor: slipway.Share{CPULimit: new(math.NaN())}},
		"db_cpu":                 {Database: slipway.Share{CPU: new(math.Inf(1))}},
		"db_storage_gi":          {DatabaseStorageGi: new(0)},
		"db_max_connections":     {DatabaseMaxConnections: new(-5)},
		"core_memory_limit_mb":   {Core: slipway.Share{MemoryLimitMB: new(0)}},
		"orchestrator_max_scale": {Orchestrator: slipway.Share{MinScale: new(3), MaxScale: new(2)}},
	} {
		_, err := r.Complete()
		if slipway.CodeOf(err) != slipway.CodeInvalid || !strings.Contains(err.Error(), "'source_config.resource_spec."+field+"'") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestCompletingTwiceChangesNothing(t *testing.T) {
	cores := rapid.Ptr(rapid.Float64Range(0.01, 8), true)
	memory := rapid.Ptr(rapid.IntRange(1, 4096), true)
	share := rapid.Custom(func(t *rapid.T) slipway.Share {
		return slipway.Share{CPU: cores.Draw(t, "cpu"), CPULimit: cores.Draw(t, "limit"), MemoryMB: memory.Draw(t, "memory"), MemoryLimitMB: memory.Draw(t, "memory limit")}
	})
	rapid.Check(t, func(t *rapid.T) {
		once, err := slipway.Resources{Server: share.Draw(t, "server"), Queue: share.Draw(t, "queue"), Redis: share.Draw(t, "redis")}.Complete()
		if err != nil {
			return
		}
		if twice, err := once.Complete(); err != nil || !reflect.DeepEqual(once, twice) {
			t.Fatalf("%+v, then %+v, %v", once, twice, err)
		}
	})
}
