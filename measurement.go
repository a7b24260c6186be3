package slipway

import (
	"math"
	"time"
)

// Resolution is how finely measurements are kept, and for how long.
type Resolution struct{ Step, For time.Duration }

// Resolutions are those that are kept, finest first. Each step divides the next.
// Two hours show an incident as it happens, a day shows what a deploy changed,
// and 30 days are what a month is compared by.
var Resolutions = [...]Resolution{
	{15 * time.Second, 2 * time.Hour},
	{time.Minute, 24 * time.Hour},
	{10 * time.Minute, 30 * 24 * time.Hour},
}

// Level is a quantity over a span. Sum is its integral over milliseconds, so
// that levels of spans of any length add up exactly.
type Level struct{ Min, Max, Sum uint64 }

// Measurement is what is known of a deployment over a slot of time, which begins
// at At. All of it is whole numbers: putting slots together loses nothing.
type Measurement struct {
	At      time.Time
	Covered time.Duration // of which there are samples
	InUse   time.Duration // of which CPU and Memory are known
	Told    time.Duration // of which Pending and Running are known
	Sized   time.Duration // of which Size and Connections are known
	Beside  time.Duration // of which RedisCPU and RedisMemory are known

	CPU      Level // thousandths of a core
	Memory   Level // MiB
	Replicas Level
	InFlight Level
	Waiting  Level
	Pending  Level
	Running  Level

	Size        Level // of the database, MiB
	Connections Level // to it

	RedisCPU    Level // of its own Redis, thousandths of a core
	RedisMemory Level // MiB

	Restarts uint64
	Requests uint64
	Errors   uint64
	Latency  [len(LatencyBounds) + 1]uint64
}

// Measurement is a sample as it is kept, in the slot of the finest resolution
// that it was taken in. CPU is rounded to 5 thousandths of a core, memory and
// databases to MiB, and time to a tenth of a second: an idle agent then looks the
// same from one sample to the next.
func (s Sample) Measurement() Measurement {
	m := Measurement{
		At: s.At.Truncate(Resolutions[0].Step), Covered: s.Over.Round(100 * time.Millisecond),
		Requests: s.Requests, Errors: s.Errors, Latency: s.Latency, Restarts: natural(s.Restarts),
	}
	m.Replicas, m.InFlight, m.Waiting = steady(natural(s.Replicas), m.Covered), steady(natural(s.InFlight), m.Covered), steady(natural(s.Waiting), m.Covered)
	if s.UsageKnown {
		m.InUse = m.Covered
		m.CPU = steady(millicores(s.CPU), m.Covered)
		m.Memory = steady(mebibytes(s.Memory), m.Covered)
	}
	if s.RunsKnown {
		m.Told = m.Covered
		m.Pending, m.Running = steady(natural(s.Pending), m.Covered), steady(natural(s.Running), m.Covered)
	}
	if u := s.Database; u != nil {
		m.Sized = m.Covered
		m.Size, m.Connections = steady(mebibytes(u.Bytes), m.Covered), steady(natural(u.Connections), m.Covered)
	}
	if u := s.Redis; u != nil {
		m.Beside = m.Covered
		m.RedisCPU, m.RedisMemory = steady(millicores(u.CPU), m.Covered), steady(mebibytes(u.Memory), m.Covered)
	}
	return m
}

func millicores(cores float64) uint64 { return uint64(math.Round(max(0, cores)*200)) * 5 }

func mebibytes(n int64) uint64 { return uint64(max(0, n)+1<<19) >> 20 }

func natural(n int) uint64 { return uint64(max(0, n)) }

// steady is a level that did not change. Of no time at all there is none.
func steady(value uint64, over time.Duration) Level {
	if over == 0 {
		return Level{}
	}
	return Level{value, value, value * uint64(over.Milliseconds())}
}

// Add puts o into the slot of m. It does not matter in which order slots are
// put together.
func (m Measurement) Add(o Measurement) Measurement {
	sum := Measurement{
		At:          m.At,
		Covered:     m.Covered + o.Covered,
		InUse:       m.InUse + o.InUse,
		Told:        m.Told + o.Told,
		Sized:       m.Sized + o.Sized,
		Beside:      m.Beside + o.Beside,
		CPU:         m.CPU.add(m.InUse, o.CPU, o.InUse),
		Memory:      m.Memory.add(m.InUse, o.Memory, o.InUse),
		Replicas:    m.Replicas.add(m.Covered, o.Replicas, o.Covered),
		InFlight:    m.InFlight.add(m.Covered, o.InFlight, o.Covered),
		Waiting:     m.Waiting.add(m.Covered, o.Waiting, o.Covered),
		Pending:     m.Pending.add(m.Told, o.Pending, o.Told),
		Running:     m.Running.add(m.Told, o.Running, o.Told),
		Size:        m.Size.add(m.Sized, o.Size, o.Sized),
		Connections: m.Connections.add(m.Sized, o.Connections, o.Sized),
		RedisCPU:    m.RedisCPU.add(m.Beside, o.RedisCPU, o.Beside),
		RedisMemory: m.RedisMemory.add(m.Beside, o.RedisMemory, o.Beside),
		Restarts:    m.Restarts + o.Restarts,
		Requests:    m.Requests + o.Requests,
		Errors:      m.Errors + o.Errors,
		Latency:     m.Latency,
	}
	for i, n := range o.Latency {
		sum.Latency[i] += n
	}
	return sum
}

// add leaves a level out that is of no time at all: it was not measured.
func (l Level) add(over time.Duration, o Level, oOver time.Duration) Level {
	switch {
	case oOver == 0:
		return l
	case over == 0:
		return o
	}
	return Level{min(l.Min, o.Min), max(l.Max, o.Max), l.Sum + o.Sum}
}

// Mean is the level's mean over the time that it was measured, which is not 0.
func (l Level) Mean(over time.Duration) float64 { return float64(l.Sum) / float64(over.Milliseconds()) }

// Gather puts measurements, in the order of time, into slots of a longer step.
// Slots of which nothing is known are left out.
func Gather(measured []Measurement, step time.Duration) []Measurement {
	var slots []Measurement
	for _, m := range measured {
		m.At = m.At.Truncate(step)
		if last := len(slots) - 1; last >= 0 && slots[last].At.Equal(m.At) {
			slots[last] = slots[last].Add(m)
			continue
		}
		slots = append(slots, m)
	}
	return slots
}

// Quantile estimates how long the fastest share q of requests took at most, by
// interpolation between bounds. What took longer than the last bound counts as
// that. It is 0 without requests.
func Quantile(latency [len(LatencyBounds) + 1]uint64, q float64) time.Duration {
	var all uint64
	for _, n := range latency {
		all += n
	}
	rank, below, lower := q*float64(all), uint64(0), time.Duration(0)
	for i, upper := range LatencyBounds {
		if n := latency[i]; n > 0 && float64(below+n) >= rank {
			return lower + time.Duration(float64(upper-lower)*(rank-float64(below))/float64(n))
		}
		below, lower = below+latency[i], upper
	}
	if all == 0 {
		return 0
	}
	return lower
}

// MetricsQuery asks for measurements from Start, inclusive, to End, exclusive.
// Zero fields have defaults: the last hour, in steps that suit a chart.
type MetricsQuery struct {
	Deployment DeploymentID
	Start, End time.Time
	Step       time.Duration
}

// Metrics are the measurements of a span that begins and ends at a multiple of
// Step. Slots of which nothing is known are left out.
type Metrics struct {
	Start, End time.Time
	Step       time.Duration
	Slots      []Measurement
}

const (
	// MetricsSlots bounds the slots of one answer.
	MetricsSlots = 1500
	// metricsAtEase is how many slots an answer has if the client does not say.
	metricsAtEase = 240
)

// Resolve fills in what the query leaves open, and says which resolution answers
// it. A step that is finer than what is kept as far back as Start is widened.
func (q MetricsQuery) Resolve(now time.Time) (MetricsQuery, Resolution, error) {
	if q.End.IsZero() {
		q.End = now
	}
	if q.Start.IsZero() {
		q.Start = q.End.Add(-time.Hour)
	}
	span := q.End.Sub(q.Start)
	switch {
	case span <= 0:
		return q, Resolution{}, Errorf(CodeInvalid, "Invalid start: it must be before end.")
	case q.Step < 0:
		return q, Resolution{}, Errorf(CodeInvalid, "Invalid step: it must be at least 1 second.")
	}
	if q.Step == 0 {
		q.Step = span / metricsAtEase
	}
	from := kept(now.Sub(q.Start))
	q.Step = max(ceil(q.Step, Resolutions[from].Step), Resolutions[from].Step)
	if span/q.Step > MetricsSlots {
		return q, Resolution{}, Errorf(CodeInvalid, "Invalid step: the answer would have more than %d points. Ask for a longer step or a shorter span.", MetricsSlots)
	}
	by := Resolutions[from]
	for _, r := range Resolutions[from:] {
		if q.Step%r.Step == 0 {
			by = r // the coarsest that fits is the least to read
		}
	}
	q.Start, q.End = q.Start.Truncate(q.Step), q.End.Add(q.Step-1).Truncate(q.Step)
	return q, by, nil
}

// kept is the finest resolution that is kept so far back, else the coarsest. A
// slot at the far end may be on its way out.
func kept(age time.Duration) int {
	for i, r := range Resolutions {
		if age <= r.For {
			return i
		}
	}
	return len(Resolutions) - 1
}

func ceil(d, unit time.Duration) time.Duration { return (d + unit - 1) / unit * unit }
