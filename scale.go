package slipway

import (
	"fmt"
	"math"
	"time"
)

// Size is what one instance of a deployment is given, and how many there may be.
type Size struct {
	CPU      float64 // cores that one is reckoned to use
	MemoryMB int     // that one is reckoned to use
	Limits   Limits  // what one may use
	Min, Max int     // instances while it is awake; Min is at least 1
	Sleeps   bool    // it has none while nobody asks for it
}

// maxProcesses bounds what an instance that runs wild takes from its machine. It
// is far above what any kind needs, since where limits are the user's, all
// instances of a deployment share it.
const maxProcesses = 4096

// SizeOf takes what a deployment asks for, and the rest from its type (contract
// §8); limits that were not given are twice what is asked for (§3). A min_scale
// of 0 counts as 1: whether a deployment sleeps is said by its type alone, since
// clients write 0 for what they do not know.
func SizeOf(deploymentType string, r *Resources) Size {
	size := sizeOfType(deploymentType)
	var asked Share
	if r != nil {
		asked = r.Server
	}
	set(&size.CPU, asked.CPU)
	set(&size.MemoryMB, asked.MemoryMB)
	size.Limits = Limits{CPU: 2 * size.CPU, MemoryMB: 2 * size.MemoryMB, Processes: maxProcesses}
	set(&size.Limits.CPU, asked.CPULimit)
	set(&size.Limits.MemoryMB, asked.MemoryLimitMB)
	size.CPU, size.MemoryMB = min(size.CPU, size.Limits.CPU), min(size.MemoryMB, size.Limits.MemoryMB)
	set(&size.Max, asked.MaxScale)
	if asked.MinScale != nil {
		size.Min = max(*asked.MinScale, 1)
	}
	size.Max = max(size.Max, size.Min)
	return size
}

func sizeOfType(t string) Size {
	s := Size{CPU: 1, MemoryMB: 1024, Min: 1, Max: 1}
	switch t {
	case "dev_zero", "dev_free_zero":
		s.Sleeps = true
	case "dev", "dev_free":
	case "serverless":
		s.CPU, s.MemoryMB, s.Max, s.Sleeps = 2, 2048, 10, true
	default:
		s.CPU, s.MemoryMB, s.Max = 2, 2048, 10
	}
	return s
}

func set[T any](field, given *T) {
	if given != nil {
		*field = *given
	}
}

// Replicas is how many instances a revision of this size is to have, of which so
// many are wished for.
func (s Size) Replicas(wished int) int { return min(max(wished, s.Min), s.Max) }

// Scale is how many instances a deployment is to have.
type Scale struct {
	Min, Max int    // while it is awake
	Wanted   int    // now
	Reason   string // why it may not have as many as were asked for
}

// Scale says how many instances the deployment is to have, by its newest
// configuration.
func (d Deployment) Scale() Scale {
	size := SizeOf(d.Config.DeploymentType, d.Config.Resources)
	s := Scale{Min: size.Min, Max: size.Max, Wanted: size.Replicas(d.Running.Replicas)}
	if d.Running.Alone {
		if asked := size.Min; asked > 1 {
			s.Reason = fmt.Sprintf("'min_scale' asks for %d replicas, but the agent server keeps its state in files that only one can have open. One on PostgreSQL, such as Aegra, can have more.", asked)
		}
		s.Min, s.Max, s.Wanted = 1, 1, 1
	}
	if d.Running.Asleep {
		s.Wanted = 0
	}
	return s
}

// What one instance is to bear (contract §8).
const (
	targetLoad    = 0.75 // of its cores and of its memory
	targetPending = 10   // runs
)

// Need is how many instances it takes to bear what was measured: the most that
// CPU, memory or runs ask for, between the least and the most of the size.
func (s Size) Need(m Sample) int {
	need := max(m.CPU/(targetLoad*s.CPU), float64(m.Memory)/(targetLoad*float64(s.MemoryMB)*(1<<20)))
	if m.RunsKnown {
		need = max(need, float64(m.Pending)/targetPending)
	}
	if !(need < float64(s.Max)) { // nor a number at all
		return s.Max
	}
	return s.Replicas(int(math.Ceil(need)))
}

// Pace is how long a need must last before instances are added or removed.
type Pace struct{ Up, Down time.Duration }

// Trend is what was needed of late. The zero value knows nothing yet.
type Trend struct {
	more, less stretch
}

// stretch is a time during which more, or fewer, were needed than there are.
type stretch struct {
	since time.Time // zero for none
	need  int       // the nearest to what there is
}

// Next takes the need at a time and says how many instances there are to be from
// now on, where there are so many. It adds as many as were needed throughout the
// pace's Up, and keeps as many as were needed at any moment of its Down: a need
// that comes and goes moves nothing.
func (t Trend) Next(current, need int, now time.Time, pace Pace) (Trend, int) {
	switch {
	case need > current:
		t.less = stretch{}
		t.more = t.more.extend(need, now, func(a, b int) int { return min(a, b) })
		if now.Sub(t.more.since) >= pace.Up {
			return Trend{}, t.more.need
		}
	case need < current:
		t.more = stretch{}
		t.less = t.less.extend(need, now, func(a, b int) int { return max(a, b) })
		if now.Sub(t.less.since) >= pace.Down {
			return Trend{}, t.less.need
		}
	default:
		t = Trend{}
	}
	return t, current
}

func (s stretch) extend(need int, now time.Time, nearer func(a, b int) int) stretch {
	if s.since.IsZero() {
		return stretch{since: now, need: need}
	}
	s.need = nearer(s.need, need)
	return s
}

// Steady says whether what was measured of so many instances tells of how they
// bear their work: while one starts, or one is missing, it does not.
func (m Sample) Steady(wanted int) bool { return m.Replicas == wanted }

// Idle says whether nothing was asked of a deployment since a time, and nothing
// is being done there. Of one that does not tell of its runs nobody knows.
func (m Sample) Idle(since time.Time) bool {
	return m.RunsKnown && m.Pending+m.Running == 0 && m.InFlight+m.Waiting == 0 && !m.LastUse.After(since)
}
