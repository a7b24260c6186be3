package slipway_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
)

func server(s slipway.Share) *slipway.Resources { return &slipway.Resources{Server: s} }

func TestSizes(t *testing.T) {
	for name, c := range map[string]struct {
		of   string
		r    *slipway.Resources
		want slipway.Size
	}{
		"dev":             {"dev", nil, size(1, 1024, 2, 2048, 1, 1, false)},
		"free":            {"dev_free", nil, size(1, 1024, 2, 2048, 1, 1, false)},
		"prod":            {"prod", nil, size(2, 2048, 4, 4096, 1, 10, false)},
		"none given":      {"", &slipway.Resources{}, size(2, 2048, 4, 4096, 1, 10, false)},
		"zero":            {"dev_zero", nil, size(1, 1024, 2, 2048, 1, 1, true)},
		"free zero":       {"dev_free_zero", nil, size(1, 1024, 2, 2048, 1, 1, true)},
		"serverless":      {"serverless", nil, size(2, 2048, 4, 4096, 1, 10, true)},
		"asked for":       {"dev", server(slipway.Share{CPU: new(0.5), MemoryMB: new(512), MinScale: new(2), MaxScale: new(3)}), size(0.5, 512, 1, 1024, 2, 3, false)},
		"limits":          {"dev", server(slipway.Share{CPULimit: new(0.5), MemoryLimitMB: new(300)}), size(0.5, 300, 0.5, 300, 1, 1, false)},
		"at least":        {"dev", server(slipway.Share{MinScale: new(4)}), size(1, 1024, 2, 2048, 4, 4, false)},
		"at most":         {"prod", server(slipway.Share{MaxScale: new(2)}), size(2, 2048, 4, 4096, 1, 2, false)},
		"zero of prod":    {"prod", server(slipway.Share{MinScale: new(0)}), size(2, 2048, 4, 4096, 1, 10, false)},
		"least of a zero": {"dev_zero", server(slipway.Share{MinScale: new(1), MaxScale: new(1)}), size(1, 1024, 2, 2048, 1, 1, true)},
	} {
		if got := slipway.SizeOf(c.of, c.r); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func size(cpu float64, memory int, cpuLimit float64, memoryLimit, least, most int, sleeps bool) slipway.Size {
	return slipway.Size{
		CPU: cpu, MemoryMB: memory, Limits: slipway.Limits{CPU: cpuLimit, MemoryMB: memoryLimit, Processes: 4096},
		Min: least, Max: most, Sleeps: sleeps,
	}
}

func TestNeed(t *testing.T) {
	s := slipway.SizeOf("prod", nil) // 1.5 cores, 1536 MiB and 10 runs each
	for name, c := range map[string]struct {
		m    slipway.Sample
		want int
	}{
		"nothing":          {slipway.Sample{}, 1},
		"all at its most":  {slipway.Sample{CPU: 1.5, Memory: 1536 << 20, RunsKnown: true, Pending: 10}, 1},
		"cores":            {slipway.Sample{CPU: 1.51}, 2},
		"memory":           {slipway.Sample{Memory: 1536<<20 + 1}, 2},
		"runs":             {slipway.Sample{RunsKnown: true, Pending: 11}, 2},
		"runs not known":   {slipway.Sample{Pending: 11}, 1},
		"the largest wins": {slipway.Sample{CPU: 2, Memory: 4 << 30, RunsKnown: true, Pending: 55}, 6},
		"more than may be": {slipway.Sample{CPU: 1e300}, 10},
	} {
		if got := s.Need(c.m); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

var sizes = rapid.Custom(func(t *rapid.T) slipway.Size {
	share := slipway.Share{
		CPU: rapid.Ptr(rapid.Float64Range(0.1, 8), true).Draw(t, "cpu"), MemoryMB: rapid.Ptr(rapid.IntRange(1, 1<<14), true).Draw(t, "memory"),
		MinScale: rapid.Ptr(rapid.IntRange(0, 20), true).Draw(t, "min"),
	}
	if rapid.Bool().Draw(t, "has max") {
		least := 1
		if share.MinScale != nil {
			least = max(1, *share.MinScale)
		}
		share.MaxScale = new(least + rapid.IntRange(0, 20).Draw(t, "more"))
	}
	return slipway.SizeOf(rapid.SampledFrom([]string{"dev", "prod", "dev_zero", "serverless"}).Draw(t, "type"), server(share))
})

var loads = rapid.Custom(func(t *rapid.T) slipway.Sample {
	return slipway.Sample{
		CPU: rapid.Float64Range(0, 100).Draw(t, "cores"), Memory: rapid.Int64Range(0, 1<<38).Draw(t, "bytes"),
		RunsKnown: rapid.Bool().Draw(t, "known"), Pending: rapid.IntRange(0, 1000).Draw(t, "pending"),
	}
})

// Whatever is measured, and in whatever order, there are never more or fewer
// than there may be.
func TestReplicasStayWithinTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, pace := sizes.Draw(t, "size"), slipway.Pace{Up: 30 * time.Second, Down: 30 * time.Minute}
		if s.Min < 1 || s.Max < s.Min {
			t.Fatalf("%+v", s)
		}
		var trend slipway.Trend
		current, now := s.Replicas(rapid.IntRange(-5, 50).Draw(t, "wished")), time.Unix(0, 0)
		for _, m := range rapid.SliceOf(loads).Draw(t, "loads") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "after")))
			before := current
			trend, current = trend.Next(current, s.Need(m), now, pace)
			if current < s.Min || current > s.Max {
				t.Fatalf("%d instances of %d to %d", current, s.Min, s.Max)
			}
			if need := s.Need(m); current != before && (current > before) != (need > before) {
				t.Fatalf("from %d to %d, and %d are needed", before, current, need)
			}
		}
	})
}

func TestMoreLoadNeedsNoFewer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, a, b := sizes.Draw(t, "size"), loads.Draw(t, "load"), loads.Draw(t, "added")
		more := slipway.Sample{
			CPU: a.CPU + b.CPU, Memory: a.Memory + b.Memory, RunsKnown: a.RunsKnown || b.RunsKnown, Pending: a.Pending + b.Pending,
		}
		if s.Need(more) < s.Need(a) {
			t.Fatalf("%d for %+v and %d for %+v", s.Need(a), a, s.Need(more), more)
		}
	})
}

// A load that stays within some bounds moves the number once at most in each
// direction: up to what it needs, and down to its peak.
func TestLoadThatComesAndGoesMovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pace := slipway.Pace{Up: 30 * time.Second, Down: 30 * time.Minute}
		need := rapid.IntRange(1, 10)
		low, high := need.Draw(t, "low"), need.Draw(t, "high")
		low, high = min(low, high), max(low, high)
		var trend slipway.Trend
		current, now, changes := need.Draw(t, "current"), time.Unix(0, 0), 0
		for range 2000 {
			// The peak comes again before the delay is over.
			now = now.Add(10 * time.Second)
			n := rapid.IntRange(low, high).Draw(t, "need")
			if now.Unix()%600 < 60 {
				n = high
			}
			next := 0
			if trend, next = trend.Next(current, n, now, pace); next != current {
				changes++
			}
			current = next
		}
		if current != high || changes > 1 {
			t.Fatalf("%d instances after %d changes, %d to %d were needed", current, changes, low, high)
		}
	})
}

func TestPace(t *testing.T) {
	pace := slipway.Pace{Up: 30 * time.Second, Down: 30 * time.Minute}
	var trend slipway.Trend
	current, now := 2, time.Unix(0, 0)
	for _, s := range []struct {
		after      time.Duration
		need, want int
	}{
		{0, 5, 2},
		{29 * time.Second, 4, 2},
		{time.Second, 5, 4}, // what was needed throughout
		{time.Second, 1, 4},
		{29 * time.Minute, 3, 4},
		{time.Minute, 1, 3}, // the most that was needed meanwhile
		{time.Second, 1, 3},
		{29 * time.Minute, 3, 3}, // again as many as there are: the delay begins anew
		{time.Minute, 1, 3},
		{30 * time.Minute, 1, 1},
		{time.Second, 2, 1},
		{time.Minute, 1, 1}, // a peak that is over
		{time.Minute, 2, 1},
	} {
		now = now.Add(s.after)
		if trend, current = trend.Next(current, s.need, now, pace); current != s.want {
			t.Fatalf("at %v, with %d needed: %d, want %d", now.Sub(time.Unix(0, 0)), s.need, current, s.want)
		}
	}
}

func TestIdle(t *testing.T) {
	now := time.Unix(1e9, 0)
	quiet := slipway.Sample{RunsKnown: true, LastUse: now}
	for name, c := range map[string]struct {
		edit func(*slipway.Sample)
		want bool
	}{
		"quiet":            {func(*slipway.Sample) {}, true},
		"never used":       {func(m *slipway.Sample) { m.LastUse = time.Time{} }, true},
		"used since":       {func(m *slipway.Sample) { m.LastUse = now.Add(1) }, false},
		"a stream":         {func(m *slipway.Sample) { m.InFlight = 1 }, false},
		"a request waits":  {func(m *slipway.Sample) { m.Waiting = 1 }, false},
		"a run":            {func(m *slipway.Sample) { m.Running = 1 }, false},
		"a run to come":    {func(m *slipway.Sample) { m.Pending = 1 }, false},
		"runs are unknown": {func(m *slipway.Sample) { m.RunsKnown = false }, false},
	} {
		m := quiet
		c.edit(&m)
		if m.Idle(now) != c.want {
			t.Errorf("%s: %t", name, !c.want)
		}
	}
}

func TestScaleOfADeployment(t *testing.T) {
	running := func(edit func(*slipway.Deployment)) slipway.Deployment {
		d := slipway.Deployment{Config: slipway.SourceConfig{DeploymentType: "prod", Resources: server(slipway.Share{MinScale: new(2)})}}
		edit(&d)
		return d
	}
	for name, c := range map[string]struct {
		d                   slipway.Deployment
		least, most, wanted int
		reason              bool
	}{
		"the least":    {running(func(*slipway.Deployment) {}), 2, 10, 2, false},
		"by load":      {running(func(d *slipway.Deployment) { d.Running.Replicas = 5 }), 2, 10, 5, false},
		"asleep":       {running(func(d *slipway.Deployment) { d.Running.Asleep = true }), 2, 10, 0, false},
		"runs once":    {running(func(d *slipway.Deployment) { d.Running.Alone = true }), 1, 1, 1, true},
		"nobody asked": {running(func(d *slipway.Deployment) { d.Running.Alone, d.Config.Resources = true, nil }), 1, 1, 1, false},
	} {
		s := c.d.Scale()
		if s.Min != c.least || s.Max != c.most || s.Wanted != c.wanted || (s.Reason != "") != c.reason {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
