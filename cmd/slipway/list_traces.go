package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/client"
)

type tracesOptions struct {
	connection
	json, all                        bool
	name, status, tag, text, grammar string
	since                            time.Duration
	limit                            int
	trace                            string
}

func newTracesCommand() *cobra.Command {
	var o tracesOptions
	cmd := &cobra.Command{
		Use:   "traces [PROJECT]",
		Short: "List tracing projects, the traces of one, or the runs of a trace",
		Long: "Without arguments: the tracing projects, with how their traces fare. With a project, which has the name of its\n" +
			"deployment: its newest traces. With --trace: the runs of one as a tree, with what went in and came out under --json.",
		Example: "  slipway traces\n  slipway traces my-agent --status error --since 24h\n  slipway traces --trace 0190aaaa-0000-7000-8000-000000000001",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), slices.Concat(args, []string{""})[0])
		},
	}
	o.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.trace, "trace", "", "show the runs of the trace with this ID")
	flags.StringVar(&o.name, "name", "", "only runs of this name")
	flags.StringVar(&o.status, "status", "", "only runs that fare so: success, error or pending")
	flags.StringVar(&o.tag, "tag", "", "only runs with this tag")
	flags.StringVar(&o.text, "text", "", "only runs whose name, error, inputs or outputs have all of these words")
	flags.StringVar(&o.grammar, "filter", "", `only runs that match this in LangSmith's filter language, such as gt(latency, "5s")`)
	flags.DurationVar(&o.since, "since", 0, "only runs that began so long ago at most, such as 24h")
	flags.BoolVar(&o.all, "all", false, "runs within traces too")
	flags.IntVar(&o.limit, "limit", 20, "how many runs, newest first; 0 for all")
	flags.BoolVar(&o.json, "json", false, "print as JSON")
	return cmd
}

func (o *tracesOptions) run(ctx context.Context, out io.Writer, project string) error {
	if o.limit < 0 || o.since < 0 {
		return usagef("--limit and --since can not be negative")
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	switch {
	case o.trace != "":
		return o.printTree(ctx, out, c)
	case project == "":
		return o.listProjects(ctx, out, c)
	}
	p, ok, err := c.TracingProject(ctx, project)
	if err == nil && !ok {
		err = fmt.Errorf("there is no tracing project %q; see slipway traces", project)
	}
	if err != nil {
		return err
	}
	return o.listRuns(ctx, out, c, p)
}

func (o *tracesOptions) listProjects(ctx context.Context, out io.Writer, c *client.Client) error {
	all, err := c.TracingProjects(ctx, "")
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, all)
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "There is no tracing project yet. Each deployment gets one.")
		return nil
	}
	rows := [][]string{{"PROJECT", "TRACES", "RUNS", "ERRORS", "P50", "P99", "TOKENS", "LAST (UTC)"}}
	for _, p := range all {
		rows = append(rows, []string{plain(p.Name), strconv.Itoa(p.RootCount), strconv.Itoa(p.RunCount), percent(p.ErrorRate), latency(p.LatencyP50), latency(p.LatencyP99), strconv.FormatInt(p.TotalTokens, 10), began(value(p.LastRunStartTime))})
	}
	return printTable(out, rows)
}

func (o *tracesOptions) listRuns(ctx context.Context, out io.Writer, c *client.Client, p client.TracingProject) error {
	q := client.RunQuery{Project: p.ID, Roots: !o.all, Filter: o.filter(), Limit: o.limit, Payload: o.json}
	if o.since > 0 {
		q.Since = time.Now().Add(-o.since)
	}
	runs, err := c.Runs(ctx, q)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, runs)
	}
	if len(runs) == 0 {
		fmt.Fprintln(out, "There is no such run.")
		return nil
	}
	rows := [][]string{{"STARTED (UTC)", "NAME", "TYPE", "STATUS", "TOOK", "TOKENS", "TRACE", "ERROR"}}
	for _, r := range runs {
		rows = append(rows, []string{began(r.StartTime), plain(r.Name), plain(r.RunType), r.Status, took(r), tokens(r), r.TraceID, plain(firstLine(value(r.Error)))})
	}
	return printTable(out, rows)
}

// filter is what the flags ask for, in LangSmith's language.
func (o *tracesOptions) filter() string {
	var all []string
	for _, c := range []struct{ form, value string }{{"eq(name, %s)", o.name}, {"eq(status, %s)", o.status}, {"has(tags, %s)", o.tag}, {"search(%s)", o.text}} {
		if c.value != "" {
			quoted, _ := json.Marshal(c.value)
			all = append(all, fmt.Sprintf(c.form, quoted))
		}
	}
	if o.grammar != "" {
		all = append(all, o.grammar)
	}
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return "and(" + strings.Join(all, ", ") + ")"
}

// printTree prints the runs of a trace, each below its parent.
func (o *tracesOptions) printTree(ctx context.Context, out io.Writer, c *client.Client) error {
	runs, err := c.Runs(ctx, client.RunQuery{Trace: o.trace, Filter: o.filter(), Payload: o.json})
	if err == nil && len(runs) == 0 {
		err = fmt.Errorf("there is no trace %s", o.trace)
	}
	if err != nil {
		return err
	}
	slices.SortFunc(runs, func(a, b client.Run) int { return cmp.Compare(a.DottedOrder, b.DottedOrder) })
	if o.json {
		return printJSON(out, runs)
	}
	rows := [][]string{{"RUN", "TYPE", "STATUS", "TOOK", "TOKENS", "STARTED (UTC)", "ERROR"}}
	for _, r := range runs {
		rows = append(rows, []string{strings.Repeat("  ", r.Depth()) + plain(r.Name), plain(r.RunType), r.Status, took(r), tokens(r), began(r.StartTime), plain(firstLine(value(r.Error)))})
	}
	return printTable(out, rows)
}

func took(r client.Run) string {
	d, ok := r.Latency()
	if !ok {
		return "-"
	}
	return d.Round(time.Millisecond).String()
}

func tokens(r client.Run) string {
	if r.TotalTokens == nil {
		return "-"
	}
	return strconv.FormatInt(*r.TotalTokens, 10)
}

func began(text string) string {
	day, clock, ok := strings.Cut(text, "T")
	if !ok {
		return "-"
	}
	return day + " " + clock[:min(len(clock), 8)]
}

func percent(share *float64) string {
	if share == nil {
		return "-"
	}
	return strconv.FormatFloat(100**share, 'f', 1, 64) + " %"
}

func latency(s *float64) string {
	if s == nil {
		return "-"
	}
	return seconds(*s)
}

// days is a time that is written in days, such as 14d, or as Go writes it.
type days time.Duration

func (d *days) Set(text string) error {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(number, 10, 16)
		*d = days(time.Duration(n) * 24 * time.Hour)
		return err
	}
	v, err := time.ParseDuration(text)
	if err == nil && v < 0 {
		err = fmt.Errorf("want a time such as 14d or 36h")
	}
	*d = days(v)
	return err
}

func (d *days) String() string {
	if v := time.Duration(*d); v%(24*time.Hour) == 0 {
		return strconv.Itoa(int(v/(24*time.Hour))) + "d"
	}
	return time.Duration(*d).String()
}

func (d *days) Type() string { return "days" }
