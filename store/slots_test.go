package store

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// pagesOf fills every page of a deployment's 30 days with what a sampler says,
// and returns their bytes.
func pagesOf(t *testing.T, sample func(n int) slipway.Sample) (size int) {
	t.Helper()
	page := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, r := range slipway.Resolutions {
		fine := make([]slipway.Measurement, 0, slotsPerPage)
		for n := range int(slotsPerPage * r.Step / (15 * time.Second)) {
			s := sample(n)
			s.At, s.Over = page.Add(time.Duration(n)*15*time.Second), 15*time.Second
			fine = append(fine, s.Measurement())
		}
		slots := slipway.Gather(fine, r.Step)
		raw := encodeSlots(slots, page, r.Step)
		back, err := decodeSlots(raw, page, r.Step)
		if err != nil || len(back) != len(slots) {
			t.Fatalf("%d of %d slots come back, %v", len(back), len(slots), err)
		}
		pages := int(r.For/(r.Step*slotsPerPage)) + 2 // one that fills, one that leaves
		size += pages * len(raw)
	}
	return size
}

func TestSizeOfThirtyDays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	busy := func(int) slipway.Sample {
		s := slipway.Sample{
			UsageKnown: true, CPU: random.Float64() * 8, Memory: random.Int64N(16 << 30), Replicas: random.IntN(10), Restarts: random.IntN(2),
			Requests: random.Uint64N(50_000), Errors: random.Uint64N(500), InFlight: random.IntN(500), Waiting: random.IntN(50),
			RunsKnown: true, Pending: random.IntN(100), Running: random.IntN(100),
		}
		for i := range s.Latency {
			s.Latency[i] = random.Uint64N(5000)
		}
		return s
	}
	based := func(n int) slipway.Sample {
		s := busy(n)
		s.Database = &slipway.DatabaseUsage{Bytes: random.Int64N(64 << 30), Connections: random.IntN(100)}
		return s
	}
	complete := func(n int) slipway.Sample {
		s := based(n)
		s.Redis = &slipway.RedisUsage{CPU: random.Float64(), Memory: random.Int64N(1 << 30)}
		return s
	}
	idle := func(int) slipway.Sample {
		return slipway.Sample{UsageKnown: true, CPU: random.Float64() * 0.002, Memory: 150<<20 + random.Int64N(300<<10), Replicas: 1, RunsKnown: true}
	}
	asleep := func(int) slipway.Sample { return slipway.Sample{UsageKnown: true, RunsKnown: true} }
	for name, c := range map[string]struct {
		sample func(int) slipway.Sample
		most   int
	}{"busy": {busy, 640 << 10}, "busy with a database": {based, 768 << 10}, "busy with a database and Redis": {complete, 896 << 10}, "idle": {idle, 4 << 10}, "asleep": {asleep, 4 << 10}} {
		if size := pagesOf(t, c.sample); size > c.most {
			t.Errorf("%s: 30 days take %d bytes, want %d at most", name, size, c.most)
		} else {
			t.Logf("%s: 30 days take %d bytes", name, size)
		}
	}
}

// What was damaged is an error, and never a page of nonsense or a crash.
func TestDamagedSlots(t *testing.T) {
	page := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	m := slipway.Sample{At: page, Over: 15 * time.Second, Requests: 300, Replicas: 1}.Measurement()
	raw := encodeSlots([]slipway.Measurement{m}, page, 15*time.Second)
	for n := 1; n < len(raw); n++ {
		if _, err := decodeSlots(raw[:n], page, 15*time.Second); n > 1 && !errors.Is(err, errSlots) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
	for _, raw := range [][]byte{{2, 0xff}, {4}, {1, 0xff}, {1, 60, 0, 0, 43}, {1, 0, 60, 0, 43}, {1, 0, 0, 0, 40}, {2, 0, 0, 0, 47}, {3, 0, 0, 0, 54}} {
		if slots, err := decodeSlots(raw, page, 15*time.Second); !errors.Is(err, errSlots) {
			t.Errorf("%v: %d slots, %v", raw, len(slots), err)
		}
	}
}

// What a server wrote before databases and Redis were measured is read, and added
// to.
func TestSlotsOfOlderVersions(t *testing.T) {
	page := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	plain := slipway.Sample{At: page.Add(30 * time.Second), Over: 15 * time.Second, UsageKnown: true, RunsKnown: true, Requests: 300, Replicas: 1}
	based := plain
	based.Database = &slipway.DatabaseUsage{Bytes: 8 << 20, Connections: 3}
	for _, c := range []struct {
		raw  []byte
		want slipway.Sample
	}{
		// Two slots that begin with the third: 15 s, all of it known, 300 requests, no
		// error or restart, CPU and memory 0, one replica, and 0 up to the end of 40.
		{[]byte{1, 2, 1, 0x98, 0x75, 0, 1, 0xac, 0x02, 0, 7, 1, 0, 26}, plain},
		{[]byte{2, 2, 1, 0x98, 0x75, 0, 1, 0xac, 0x02, 0, 7, 1, 0, 33}, plain},
		// The same, 15 s of a database, 8 MiB large, with 3 connections.
		{[]byte{2, 2, 1, 0x98, 0x75, 0, 1, 0xac, 0x02, 0, 7, 1, 0, 26, 0x98, 0x75, 8, 0, 1, 3, 0, 1}, based},
	} {
		got, err := decodeSlots(c.raw, page, 15*time.Second)
		if err != nil || len(got) != 2 || got[0] != c.want.Measurement() {
			t.Fatalf("%v: %+v, %v\nwant %+v", c.raw, got, err, c.want.Measurement())
		}
		if again, err := decodeSlots(encodeSlots(got, page, 15*time.Second), page, 15*time.Second); err != nil || !slices.Equal(again, got) {
			t.Errorf("%v: written anew: %+v, %v", c.raw, again, err)
		}
	}
}

func FuzzSlots(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 39})
	f.Add([]byte{2, 0, 0, 0, 46})
	f.Add([]byte{3, 0, 0, 0, 53})
	page := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, raw []byte) {
		slots, err := decodeSlots(raw, page, time.Minute)
		if err == nil && len(slots) > slotsPerPage {
			t.Errorf("%d slots in a page", len(slots))
		}
	})
}
