package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// row of the table. What there is none of is "".
type row struct {
	measure, what    string
	median, min, max string
	goal             goal
	peer             string // what else does the same, and the ratio
}

// goal is what was asked for, and whether it was reached.
type goal struct {
	text string
	met  bool
}

func (g goal) String() string {
	switch {
	case g.text == "":
		return ""
	case g.met:
		return g.text + ": met"
	}
	return g.text + ": missed"
}

// atMost is a goal for what is better when it is less.
func atMost[T cmp.Ordered](got, limit T, text string) goal { return goal{"≤ " + text, got <= limit} }

// atLeast is a goal for what is better when it is more.
func atLeast[T cmp.Ordered](got, limit T, text string) goal { return goal{"≥ " + text, got >= limit} }

// spread is the row of samples.
func spread(what string, s samples) row {
	return row{what: fmt.Sprintf("%s (n = %d)", what, len(s)), median: millis(s.median()), min: millis(s.min()), max: millis(s.max())}
}

// rates is the row of how many there were in a second.
func rates(what string, n numbers) row {
	second := func(rate float64) string { return fmt.Sprintf("%.0f /s", rate) }
	return row{what: fmt.Sprintf("%s (n = %d)", what, len(n)), median: second(n.median()), min: second(n.min()), max: second(n.max())}
}

// factors is the row of ratios.
func factors(what string, n numbers) row {
	return row{what: fmt.Sprintf("%s (n = %d)", what, len(n)), median: times(n.median()), min: times(n.min()), max: times(n.max())}
}

// single is the row of one value.
func single(what, value string) row { return row{what: what, median: value} }

func (r row) with(g goal) row { r.goal = g; return r }

func (r row) against(format string, args ...any) row {
	r.peer = fmt.Sprintf(format, args...)
	return r
}

func (r row) cells() []string {
	return []string{r.measure, r.what, r.median, r.min, r.max, r.goal.String(), r.peer}
}

var head = []string{"measure", "what", "median", "min", "max", "goal", "peer"}

func writeText(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r.cells(), "\t"))
	}
	return t.Flush()
}

func writeMarkdown(w io.Writer, rows []row) error {
	text := new(strings.Builder)
	line := func(cells []string) { fmt.Fprintf(text, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	line(strings.Split("---|---|--:|--:|--:|---|---", "|"))
	for _, r := range rows {
		line(r.cells())
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// millis prints a duration with as many digits as mean something.
func millis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms >= 10_000 || ms <= -10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 100 || ms <= -100:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f ms", ms)
}

func times(factor float64) string { return fmt.Sprintf("%.2f ×", factor) }

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

func percent(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }
