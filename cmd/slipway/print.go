package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/slipwayhq/slipway/api/wire"
)

// printJSON prints a value for programs.
func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printTable prints rows in columns.
func printTable(out io.Writer, rows [][]string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

// text is what a field holds, or a dash.
func text(p *string) string {
	if p == nil || *p == "" {
		return "-"
	}
	return *p
}

// value is what a field holds, "" if it is null.
func value(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func clock(t wire.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// moment is clock of what may not have happened, "" then.
func moment(t *wire.Time) string {
	if t == nil {
		return ""
	}
	return clock(*t)
}

// firstLine cuts a text for a table.
func firstLine(s string) string {
	line, rest, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if rest != "" {
		return line + " …"
	}
	return line
}

// address is where an agent is reached, once it is.
func address(d wire.Deployment) string {
	return first(value(d.URL), value(d.SourceConfig.CustomURL))
}
