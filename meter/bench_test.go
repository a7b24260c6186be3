package meter_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/meter"
)

// rounds tells of each hand-over.
type rounds struct {
	*plane
	handed chan struct{}
}

func (r *rounds) Measured(context.Context, string, []slipway.Sample) error {
	r.handed <- struct{}{}
	return nil
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkRound is a round of 200 agents, every 100 ms instead of 15 s, without
// what a driver does.
func BenchmarkRound(b *testing.B) {
	p := newPlane()
	handed := make(chan struct{}, 1000)
	m := meter.New(&rounds{p, handed}, p, p, meter.Config{Owner: "here", Every: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	for n := range 200 {
		id, i := slipway.DeploymentID(fmt.Sprint("d", n)), slipway.InstanceID(fmt.Sprint("i", n))
		p.usage[i], p.runs[i] = slipway.Usage{CPU: time.Second, Memory: 1 << 28}, slipway.Runs{}
		m.Watch(row(id), []slipway.Observed{running(id, i, 1)}, []slipway.InstanceID{i})
	}
	<-handed
	b.ResetTimer()
	before := cpuTime(b)
	for range b.N {
		<-handed
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/round")
	m.Stop()
}
