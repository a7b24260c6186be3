package slipway

import (
	"math"
	"strconv"
)

// Resources is what a deployment may use, part by part: the contract's
// ResourceSpec (§3). nil is unset.
type Resources struct {
	Server, Queue, Core, Orchestrator, Executor, Redis, Database Share

	DatabaseStorageGi      *int
	DatabaseMaxConnections *int

	// Pod is the rest, which only a cluster understands: JSON as the contract
	// writes it, "" for none.
	Pod string
}

// Share is what one part may use: cores, MiB, and how many replicas there are.
type Share struct {
	CPU, CPULimit           *float64
	MemoryMB, MemoryLimitMB *int
	MinScale, MaxScale      *int
}

// Complete checks a spec and fills in what follows from what was given
// (contract §3): limits are twice the request, but Redis' memory is limited to
// it; the queue's part is like the server's; cores are rounded to tenths.
func (r Resources) Complete() (Resources, error) {
	r.Server = r.Server.complete()
	r.Queue = r.Queue.complete().like(r.Server)
	if r.Redis.MemoryLimitMB == nil {
		r.Redis.MemoryLimitMB = r.Redis.MemoryMB
	}
	for _, s := range []*Share{&r.Core, &r.Orchestrator, &r.Executor, &r.Redis, &r.Database} {
		*s = s.complete()
	}
	return r, r.check()
}

func (s Share) complete() Share {
	s.CPU, s.CPULimit = tenths(s.CPU), tenths(s.CPULimit)
	if s.CPULimit == nil && s.CPU != nil {
		s.CPULimit = new(2 * *s.CPU)
	}
	if s.MemoryLimitMB == nil && s.MemoryMB != nil {
		s.MemoryLimitMB = new(2 * *s.MemoryMB)
	}
	return s
}

// like fills what is unset from another share.
func (s Share) like(other Share) Share {
	s.CPU, s.CPULimit = or(s.CPU, other.CPU), or(s.CPULimit, other.CPULimit)
	s.MemoryMB, s.MemoryLimitMB = or(s.MemoryMB, other.MemoryMB), or(s.MemoryLimitMB, other.MemoryLimitMB)
	s.MinScale, s.MaxScale = or(s.MinScale, other.MinScale), or(s.MaxScale, other.MaxScale)
	return s
}

func or[T any](p, otherwise *T) *T {
	if p != nil {
		return p
	}
	return otherwise
}

// tenths rounds a number of cores; what is above nothing stays so.
func tenths(cpu *float64) *float64 {
	if cpu == nil {
		return nil
	}
	rounded := math.Round(*cpu*10) / 10
	if rounded == 0 && *cpu > 0 {
		rounded = 0.1
	}
	return &rounded
}

// maxMemoryMB and maxScale bound what arithmetic and people can mean.
const (
	maxMemoryMB = 1 << 24 // 16 TiB
	maxScale    = 1000
)

func (r Resources) check() error {
	for _, part := range []struct {
		prefix string
		Share
	}{
		{"", r.Server},
		{"queue_", r.Queue},
		{"core_", r.Core},
		{"orchestrator_", r.Orchestrator},
		{"executor_", r.Executor},
		{"redis_", r.Redis},
		{"db_", r.Database},
	} {
		if err := part.check(part.prefix); err != nil {
			return err
		}
	}
	if err := positive("db_storage_gi", r.DatabaseStorageGi); err != nil {
		return err
	}
	return positive("db_max_connections", r.DatabaseMaxConnections)
}

func (s Share) check(prefix string) error {
	for _, f := range []struct {
		name string
		cpu  *float64
	}{{"cpu", s.CPU}, {"cpu_limit", s.CPULimit}} {
		// The negation refuses what is not a number, too.
		if f.cpu != nil && !(*f.cpu > 0 && *f.cpu <= maxScale) {
			return resourceError(prefix+f.name, "must be a number of cores above 0")
		}
	}
	for _, f := range []struct {
		name   string
		memory *int
	}{{"memory_mb", s.MemoryMB}, {"memory_limit_mb", s.MemoryLimitMB}} {
		if f.memory != nil && (*f.memory < 1 || *f.memory > maxMemoryMB) {
			return resourceError(prefix+f.name, "must lie between 1 and "+strconv.Itoa(maxMemoryMB))
		}
	}
	return s.checkPairs(prefix)
}

// checkPairs compares each lower bound with its upper one.
func (s Share) checkPairs(prefix string) error {
	switch {
	case s.MinScale != nil && (*s.MinScale < 0 || *s.MinScale > maxScale):
		return resourceError(prefix+"min_scale", "must lie between 0 and "+strconv.Itoa(maxScale))
	case s.MaxScale != nil && (*s.MaxScale < 1 || *s.MaxScale > maxScale):
		return resourceError(prefix+"max_scale", "must lie between 1 and "+strconv.Itoa(maxScale))
	case s.MinScale != nil && s.MaxScale != nil && *s.MinScale > *s.MaxScale:
		return resourceError(prefix+"max_scale", "must be at least '"+prefix+"min_scale'")
	case s.CPU != nil && *s.CPULimit < *s.CPU:
		return resourceError(prefix+"cpu_limit", "must be at least '"+prefix+"cpu'")
	case s.MemoryMB != nil && *s.MemoryLimitMB < *s.MemoryMB:
		return resourceError(prefix+"memory_limit_mb", "must be at least '"+prefix+"memory_mb'")
	}
	return nil
}

func positive(name string, n *int) error {
	if n != nil && *n < 1 {
		return resourceError(name, "must be at least 1")
	}
	return nil
}

func resourceError(field, what string) error {
	return Errorf(CodeInvalid, "Source configuration error: 'source_config.resource_spec.%s' %s.", field, what)
}
