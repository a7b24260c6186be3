package process_test

import (
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/drivertest"
)

// median runs do and reports how long its first part took at the median; done
// cleans up.
func median(b *testing.B, do, done func()) {
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		do()
		took = append(took, time.Since(begun))
		done()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkApply is the time until Apply returns.
func BenchmarkApply(b *testing.B) { benchmarkApply(b, func(slipway.Workload) {}) }

// BenchmarkFirstAnswer is the time from Apply to the first 200.
func BenchmarkFirstAnswer(b *testing.B) { benchmarkApply(b, func(w slipway.Workload) { serving(w) }) }

func benchmarkApply(b *testing.B, then func(slipway.Workload)) {
	d := open(b, b.TempDir())
	defer d.Close()
	w := workload(b)
	median(b, func() {
		w = workload(b)
		if _, err := d.Apply(b.Context(), w); err != nil {
			b.Fatal(err)
		}
		then(w)
	}, func() {
		if err := d.Stop(b.Context(), w.Deployment, w.Instance, 0); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkFirstAnswerBare is the same without a driver: what is to be compared
// with.
func BenchmarkFirstAnswerBare(b *testing.B) {
	var cmd *exec.Cmd
	median(b, func() {
		w := slipway.Workload{Port: drivertest.FreePort(b)}
		cmd = exec.Command(standin)
		cmd.Env = []string{"HOST=127.0.0.1", fmt.Sprintf("PORT=%d", w.Port)}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		serving(w)
	}, func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// BenchmarkListens is one question of a gate that passes.
func BenchmarkListens(b *testing.B) {
	d := open(b, b.TempDir())
	defer d.Close()
	w := workload(b)
	if _, err := d.Apply(b.Context(), w); err != nil {
		b.Fatal(err)
	}
	serving(w)
	for b.Loop() {
		if listens, err := d.Listens(b.Context(), w.Deployment, w.Instance); !listens || err != nil {
			b.Fatal(listens, err)
		}
	}
	if err := d.Stop(b.Context(), w.Deployment, w.Instance, 0); err != nil {
		b.Fatal(err)
	}
}
