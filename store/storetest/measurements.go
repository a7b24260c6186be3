package storetest

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
)

func (w *world) measure(d slipway.DeploymentID, m ...slipway.Measurement) {
	w.Helper()
	w.update(func(tx slipway.Tx) error { return tx.AddMeasurements(d, m) })
}

func (w *world) measured(d slipway.DeploymentID, step time.Duration, start, end time.Time) []slipway.Measurement {
	w.Helper()
	return read(w, func(tx slipway.Tx) ([]slipway.Measurement, error) { return tx.ListMeasurements(d, step, start, end) })
}

// fullSample has a value everywhere, another for each n.
func fullSample(n int) slipway.Sample {
	s := slipway.Sample{
		Deployment: "d", At: at(float64(15 * n)), Over: 15 * time.Second, Replicas: n + 1, UsageKnown: true, CPU: float64(n) + 0.125,
		Memory: int64(n+1) << 27, Restarts: n + 1, Requests: uint64(n) + 10, Errors: uint64(n) + 2, InFlight: n + 3, Waiting: n + 4,
		LastUse: at(1), RunsKnown: true, Pending: n + 5, Running: n + 6,
		Database: &slipway.DatabaseUsage{Bytes: int64(n+7) << 20, Connections: n + 8, Full: true},
		Redis:    &slipway.RedisUsage{CPU: float64(n) + 0.25, Memory: int64(n+9) << 20},
	}
	for i := range s.Latency {
		s.Latency[i] = uint64(n + i + 1)
	}
	return s
}

func testMeasurements(t *testing.T, w *world) {
	d, other := w.deployment("app", 0), w.deployment("other", 0)
	far := at(86400 * 365)
	equal(t, "before any", w.measured(d.ID, 15*time.Second, at(0), far), []slipway.Measurement{})
	filled(t, reflect.ValueOf(fullSample(0)), "Sample")
	full := fullSample(0).Measurement()
	filled(t, reflect.ValueOf(full), "Measurement")

	var all []slipway.Measurement
	for n := range 100 {
		if n%7 != 3 { // a gap is no 0
			all = append(all, fullSample(n/5).Measurement())
			all[len(all)-1].At = at(float64(15 * n))
		}
	}
	for n := range all { // as they come, and some late
		if n%2 == 0 {
			w.measure(d.ID, all[n])
		}
	}
	for n := 1; n < len(all); n += 2 {
		w.measure(d.ID, all[n])
	}
	w.measure(other.ID, full)
	w.measure(d.ID)
	for _, r := range slipway.Resolutions {
		equal(t, "all by "+r.Step.String(), w.measured(d.ID, r.Step, at(0), far), slipway.Gather(all, r.Step))
	}
	equal(t, "some", w.measured(d.ID, 15*time.Second, all[10].At, all[20].At), all[10:20])
	equal(t, "the other's", w.measured(other.ID, 15*time.Second, at(0), far), []slipway.Measurement{full})

	w.measure(d.ID, all[5]) // what comes for the same slot is added
	equal(t, "a slot twice", w.measured(d.ID, 15*time.Second, all[5].At, all[6].At), []slipway.Measurement{all[5].Add(all[5])})

	w.measure("no", full)
	w.update(func(tx slipway.Tx) error { return tx.DeleteDeployment(d.ID) })
	equal(t, "of what is gone", w.measured(d.ID, time.Minute, at(0), far), []slipway.Measurement{})
	equal(t, "the other's still", w.measured(other.ID, time.Minute, at(0), far), slipway.Gather([]slipway.Measurement{full}, time.Minute))
}

// Each resolution is kept for its time, and not much longer.
func testMeasurementsDropped(t *testing.T, w *world) {
	d := w.deployment("app", 0)
	day := 24 * time.Hour
	for n := range 40 * 24 * 2 {
		w.measure(d.ID, slipway.Sample{At: at(0).Add(time.Duration(n) * day / 48), Over: 15 * time.Second, Requests: 1}.Measurement())
	}
	now := at(0).Add(40 * day)
	w.update(func(tx slipway.Tx) error { return tx.DropMeasurements(now) })
	for _, r := range slipway.Resolutions {
		kept := w.measured(d.ID, r.Step, at(0), now)
		oldest := now.Sub(kept[0].At)
		if oldest < r.For-time.Hour || oldest > r.For+60*r.Step+time.Hour {
			t.Errorf("in steps of %s the oldest is %s old, of %s", r.Step, oldest, r.For)
		}
	}
}

// What comes back is what all that was written comes to, in whatever portions.
func testMeasurementsModel(t *testing.T, w *world) {
	rapid.Check(t, func(rt *rapid.T) {
		d := w.deployment(string(newID[slipway.DeploymentID]()), 0)
		var all []slipway.Measurement
		from, slot := at(0), 0
		for range rapid.IntRange(1, 6).Draw(rt, "portions") {
			var portion []slipway.Measurement
			for range rapid.IntRange(0, 40).Draw(rt, "size") {
				slot += rapid.SampledFrom([]int{0, 1, 1, 1, 2, 70}).Draw(rt, "later")
				s := slipway.Sample{At: from.Add(time.Duration(slot) * 15 * time.Second), Over: time.Duration(rapid.IntRange(0, 200).Draw(rt, "over")) * 100 * time.Millisecond}
				if rapid.Bool().Draw(rt, "busy") {
					s = fullSample(rapid.IntRange(0, 3).Draw(rt, "like"))
					if rapid.Bool().Draw(rt, "no database") {
						s.Database = nil
					}
					if rapid.Bool().Draw(rt, "no Redis") {
						s.Redis = nil
					}
					s.At, s.UsageKnown, s.RunsKnown = from.Add(time.Duration(slot)*15*time.Second), rapid.Bool().Draw(rt, "usage"), rapid.Bool().Draw(rt, "runs")
				}
				portion = append(portion, s.Measurement())
			}
			w.measure(d.ID, portion...)
			all = append(all, portion...)
		}
		for _, r := range slipway.Resolutions {
			want := slipway.Gather(all, r.Step)
			if want == nil {
				want = []slipway.Measurement{}
			}
			equal(rt, "by "+r.Step.String(), w.measured(d.ID, r.Step, from, at(86400*30)), want)
		}
	})
}

func testCensus(t *testing.T, w *world) {
	census := func() []slipway.Census {
		return read(w, func(tx slipway.Tx) ([]slipway.Census, error) { return tx.Census(at(10)) })
	}
	equal(t, "before any", census(), []slipway.Census{})
	a, b := w.deployment("a", 0), w.deployment("b", 0)
	w.deployment("c", 0)
	w.update(func(tx slipway.Tx) error {
		_, err := tx.Take(a.ID, "one", at(0), at(20))
		if err == nil {
			_, err = tx.Take(b.ID, "one", at(0), at(9)) // it has run out
		}
		return err
	})
	w.update(func(tx slipway.Tx) error {
		d, err := tx.Deployment(b.ID)
		if err != nil {
			return err
		}
		d.Status = slipway.AwaitingDelete
		return tx.UpdateDeployment(&d)
	})
	equal(t, "counted", census(), []slipway.Census{
		{Workspace: w.workspace, Status: slipway.AwaitingDelete, Deployments: 1},
		{Workspace: w.workspace, Status: slipway.Ready, Deployments: 2, Leased: 1},
	})
}
