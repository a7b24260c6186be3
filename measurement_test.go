package slipway_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
)

var measuredFrom = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// samples draws what a sampler might say over some hours, with gaps.
func samples(t *rapid.T) []slipway.Sample {
	at := measuredFrom
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) slipway.Sample {
		at = at.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "later")) * time.Second)
		s := slipway.Sample{
			At: at, Over: time.Duration(rapid.IntRange(0, 20_000).Draw(t, "over")) * time.Millisecond,
			Replicas: rapid.IntRange(0, 10).Draw(t, "replicas"), UsageKnown: rapid.Bool().Draw(t, "usage"),
			CPU: rapid.Float64Range(-1, 64).Draw(t, "cpu"), Memory: rapid.Int64Range(-1, 1<<40).Draw(t, "memory"),
			Restarts: rapid.IntRange(0, 3).Draw(t, "restarts"), Requests: rapid.Uint64Range(0, 1e6).Draw(t, "requests"),
			Errors: rapid.Uint64Range(0, 1e6).Draw(t, "errors"), InFlight: rapid.IntRange(0, 5000).Draw(t, "in flight"),
			Waiting: rapid.IntRange(0, 1000).Draw(t, "waiting"), RunsKnown: rapid.Bool().Draw(t, "runs"),
			Pending: rapid.IntRange(0, 50).Draw(t, "pending"), Running: rapid.IntRange(0, 50).Draw(t, "running"),
		}
		if rapid.Bool().Draw(t, "database") {
			s.Database = &slipway.DatabaseUsage{Bytes: rapid.Int64Range(-1, 1<<40).Draw(t, "bytes"), Connections: rapid.IntRange(0, 100).Draw(t, "connections")}
		}
		if rapid.Bool().Draw(t, "redis") {
			s.Redis = &slipway.RedisUsage{CPU: rapid.Float64Range(-1, 4).Draw(t, "its cpu"), Memory: rapid.Int64Range(-1, 1<<34).Draw(t, "its memory")}
		}
		for i := range s.Latency {
			s.Latency[i] = rapid.Uint64Range(0, 100).Draw(t, "latency")
		}
		return s
	}), 0, 200).Draw(t, "samples")
}

// Nothing is lost, whether slots are put together at once or step by step.
func TestGatherKeepsSumsAndExtremes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var measured []slipway.Measurement
		var requests, restarts, most uint64
		for _, s := range samples(t) {
			m := s.Measurement()
			measured = append(measured, m)
			requests, restarts = requests+s.Requests, restarts+uint64(s.Restarts)
			if s.UsageKnown && m.Covered > 0 {
				most = max(most, m.CPU.Max)
			}
		}
		fine := slipway.Gather(measured, slipway.Resolutions[0].Step)
		coarse := slipway.Gather(fine, slipway.Resolutions[2].Step)
		direct := slipway.Gather(measured, slipway.Resolutions[2].Step)
		if len(coarse) != len(direct) {
			t.Fatalf("%d slots, want %d", len(coarse), len(direct))
		}
		for i := range coarse {
			if coarse[i] != direct[i] {
				t.Fatalf("slot %d:\n got %+v\nwant %+v", i, coarse[i], direct[i])
			}
			requests, restarts = requests-coarse[i].Requests, restarts-coarse[i].Restarts
			if coarse[i].CPU.Max > most {
				t.Fatalf("CPU reached %d, want %d at most", coarse[i].CPU.Max, most)
			}
			if c := coarse[i]; c.InUse > 0 {
				if mean := c.CPU.Mean(c.InUse); mean < float64(c.CPU.Min) || mean > float64(c.CPU.Max) {
					t.Fatalf("the mean %v lies outside of %d to %d", mean, c.CPU.Min, c.CPU.Max)
				}
			}
		}
		if requests != 0 || restarts != 0 {
			t.Fatalf("%d requests and %d restarts are missing", requests, restarts)
		}
		if n := len(coarse); n > 0 && most != 0 {
			found := uint64(0)
			for _, c := range coarse {
				found = max(found, c.CPU.Max)
			}
			if found != most {
				t.Fatalf("the highest CPU is %d, want %d", found, most)
			}
		}
	})
}

func TestMeasurementOfASample(t *testing.T) {
	m := slipway.Sample{
		At: measuredFrom.Add(29 * time.Second), Over: 14998 * time.Millisecond, UsageKnown: true,
		CPU: 0.0031, Memory: 157<<20 - 1000, Replicas: 1, Pending: 7,
		Database: &slipway.DatabaseUsage{Bytes: 7<<20 + 1000, Connections: 2},
		Redis:    &slipway.RedisUsage{CPU: 0.0124, Memory: 9<<20 - 1000},
	}.Measurement()
	if !m.At.Equal(measuredFrom.Add(15 * time.Second)) {
		t.Errorf("it lies in the slot of %s", m.At)
	}
	if m.Covered != 15*time.Second || m.CPU.Max != 5 || m.Memory.Max != 157 || m.Replicas.Mean(m.Covered) != 1 {
		t.Errorf("it is %+v", m)
	}
	if m.Sized != m.Covered || m.Size.Max != 7 || m.Connections.Mean(m.Sized) != 2 {
		t.Errorf("of the database it tells %+v", m)
	}
	if m.Beside != m.Covered || m.RedisCPU.Max != 10 || m.RedisMemory.Mean(m.Beside) != 9 {
		t.Errorf("of Redis it tells %+v", m)
	}
	if m.Told != 0 || m.Pending != (slipway.Level{}) {
		t.Errorf("it tells of runs that nobody knows: %+v", m.Pending)
	}
}

func TestQuantile(t *testing.T) {
	var none, quick, slow [len(slipway.LatencyBounds) + 1]uint64
	quick[1], quick[3] = 50, 50 // 5–10 ms, 25–50 ms
	slow[len(slow)-1] = 3
	for _, c := range []struct {
		name    string
		latency [len(slipway.LatencyBounds) + 1]uint64
		q       float64
		want    time.Duration
	}{
		{"none", none, 0.5, 0},
		{"half of them", quick, 0.5, 10 * time.Millisecond},
		{"between bounds", quick, 0.75, 37500 * time.Microsecond},
		{"all", quick, 1, 50 * time.Millisecond},
		{"beyond the last bound", slow, 0.5, 30 * time.Second},
	} {
		if got := slipway.Quantile(c.latency, c.q); math.Abs(float64(got-c.want)) > 1000 {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestMetricsQuery(t *testing.T) {
	now := measuredFrom.Add(7 * time.Second)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		name     string
		q        slipway.MetricsQuery
		step, by time.Duration
		slots    int
		refused  bool
	}{
		{"nothing said", slipway.MetricsQuery{}, 15 * time.Second, 15 * time.Second, 241, false},
		{"a day", slipway.MetricsQuery{Start: ago(24 * time.Hour)}, 6 * time.Minute, time.Minute, 241, false},
		{"a month", slipway.MetricsQuery{Start: ago(30 * 24 * time.Hour)}, 3 * time.Hour, 10 * time.Minute, 241, false},
		{"a year", slipway.MetricsQuery{Start: ago(365 * 24 * time.Hour)}, 36*time.Hour + 30*time.Minute, 10 * time.Minute, 241, false},
		{"finer than what is kept", slipway.MetricsQuery{Start: ago(3 * time.Hour), Step: time.Second}, time.Minute, time.Minute, 181, false},
		{"no multiple", slipway.MetricsQuery{Step: 20 * time.Second}, 30 * time.Second, 15 * time.Second, 121, false},
		{"ten minutes", slipway.MetricsQuery{Step: 10 * time.Minute}, 10 * time.Minute, 10 * time.Minute, 7, false},
		{"the future", slipway.MetricsQuery{Start: now.Add(time.Hour), End: now.Add(2 * time.Hour)}, 15 * time.Second, 15 * time.Second, 241, false},
		{"too many", slipway.MetricsQuery{Start: ago(24 * time.Hour * 29), Step: time.Second}, 0, 0, 0, true},
		{"backwards", slipway.MetricsQuery{Start: now, End: ago(time.Hour)}, 0, 0, 0, true},
		{"nothing at all", slipway.MetricsQuery{Start: now, End: now}, 0, 0, 0, true},
	} {
		q, by, err := c.q.Resolve(now)
		if (err != nil) != c.refused {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil {
			if slipway.CodeOf(err) != slipway.CodeInvalid {
				t.Errorf("%s: %v is nothing for the caller", c.name, err)
			}
			continue
		}
		if slots := int(q.End.Sub(q.Start) / q.Step); q.Step != c.step || by.Step != c.by || slots != c.slots {
			t.Errorf("%s: step %s of %s, %d slots; want %s, %s, %d", c.name, q.Step, by.Step, slots, c.step, c.by, c.slots)
		}
	}
}
