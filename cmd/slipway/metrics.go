package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// sparks is how many characters a line of the table has at most, a step each.
const sparks = 60

type metricsOptions struct {
	connection
	since, step time.Duration
	json        bool
}

func newMetricsCommand() *cobra.Command {
	var o metricsOptions
	cmd := &cobra.Command{
		Use:   "metrics NAME",
		Short: "Show what a deployment uses and how it answers",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	o.register(cmd)
	flags := cmd.Flags()
	flags.DurationVar(&o.since, "since", time.Hour, "how far to look back, up to 720h")
	flags.DurationVar(&o.step, "step", 0, "time between two values (default: as a line has room for)")
	flags.BoolVar(&o.json, "json", false, "print the measurements as JSON")
	return cmd
}

func (o *metricsOptions) run(ctx context.Context, out io.Writer, name string) error {
	if o.since < time.Second || o.step < 0 || o.step > 0 && o.step < time.Second {
		return usagef("--since and --step must be at least 1s")
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	d, err := c.FindDeployment(ctx, name)
	if err != nil {
		return err
	}
	span := client.Span{Start: time.Now().Add(-o.since), Step: o.step}
	if o.step == 0 {
		span.Step = max(time.Second, o.since/sparks).Truncate(time.Second)
	}
	m, err := c.Metrics(ctx, d.ID, span)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, m)
	}
	return printMetrics(out, m)
}

// printMetrics prints a line for each quantity: the last value that is known,
// the highest, and how it went.
func printMetrics(out io.Writer, m wire.DeploymentMetrics) error {
	plain := func(v float64) string { return fmt.Sprintf("%.4g", v) }
	rows := [][]string{{"", "now", "most", "every " + (time.Duration(m.Step) * time.Second).String() + " since " + clock(m.Start) + " UTC"}}
	for _, q := range []struct {
		name  string
		mean  []*float64
		most  []*float64
		print func(float64) string
	}{
		{"cpu", m.CPU.Mean, m.CPU.Max, plain},
		{"memory", m.Memory.Mean, m.Memory.Max, mebibytes},
		{"replicas", m.Replicas.Mean, m.Replicas.Max, plain},
		{"requests", floats(m.Requests), floats(m.Requests), plain},
		{"errors", floats(m.Errors), floats(m.Errors), plain},
		{"latency p50", m.Latency.P50, m.Latency.P50, seconds},
		{"latency p95", m.Latency.P95, m.Latency.P95, seconds},
		{"latency p99", m.Latency.P99, m.Latency.P99, seconds},
		{"in flight", m.InFlight.Mean, m.InFlight.Max, plain},
		{"held", m.Held.Mean, m.Held.Max, plain},
		{"pending runs", m.PendingRuns.Mean, m.PendingRuns.Max, plain},
		{"running runs", m.RunningRuns.Mean, m.RunningRuns.Max, plain},
		{"database", m.DatabaseSize.Mean, m.DatabaseSize.Max, mebibytes},
		{"connections", m.DatabaseConnections.Mean, m.DatabaseConnections.Max, plain},
		{"redis cpu", m.RedisCPU.Mean, m.RedisCPU.Max, plain},
		{"redis memory", m.RedisMemory.Mean, m.RedisMemory.Max, mebibytes},
		{"restarts", floats(m.Restarts), floats(m.Restarts), plain},
	} {
		rows = append(rows, []string{q.name, newest(q.mean, q.print), highest(q.most, q.print), sparkline(q.most)})
	}
	return printTable(out, rows)
}

func mebibytes(v float64) string { return fmt.Sprintf("%.0f MiB", v/(1<<20)) }

func seconds(v float64) string {
	return time.Duration(v * float64(time.Second)).Round(100 * time.Microsecond).String()
}

func floats(counts []*int) []*float64 {
	out := make([]*float64, len(counts))
	for i, n := range counts {
		if n != nil {
			out[i] = new(float64(*n))
		}
	}
	return out
}

// newest is the newest value that is known.
func newest(values []*float64, print func(float64) string) string {
	for i := len(values) - 1; i >= 0; i-- {
		if values[i] != nil {
			return print(*values[i])
		}
	}
	return "-"
}

func highest(values []*float64, print func(float64) string) string {
	most, known := 0.0, false
	for _, v := range values {
		if v != nil {
			most, known = max(most, *v), true
		}
	}
	if !known {
		return "-"
	}
	return print(most)
}

var bars = []rune("▁▂▃▄▅▆▇█")

// sparkline draws values from 0 to the highest; what is not known is a dot. A
// long line is drawn from the highest of several values each.
func sparkline(values []*float64) string {
	most := 0.0
	for _, v := range values {
		if v != nil {
			most = max(most, *v)
		}
	}
	each := (len(values) + sparks - 1) / sparks
	var line strings.Builder
	for len(values) > 0 {
		n := min(each, len(values))
		line.WriteRune(bar(values[:n], most))
		values = values[n:]
	}
	return line.String()
}

func bar(values []*float64, most float64) rune {
	mark := '·'
	high := -1.0
	for _, v := range values {
		if v != nil && *v > high {
			high = *v
			mark = bars[0]
		}
	}
	if high > 0 {
		mark = bars[min(len(bars)-1, int(math.Ceil(high/most*float64(len(bars))))-1)]
	}
	return mark
}
