package store

import (
	_ "embed"
	"strings"

	"github.com/slipwayhq/slipway/trace"
)

//go:embed queries.sql
var queriesFile string

// queries are those of the file, by their names.
var queries = split(queriesFile)

// split leaves comments out: each would be sent.
func split(file string) map[string]string {
	all := map[string]string{}
	for _, part := range strings.Split(file, "-- name: ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		var lines []string
		for line := range strings.Lines(rest) {
			if !strings.HasPrefix(line, "--") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		all[name] = strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(strings.Join(lines, " ")), ";"), "{light}", light)
	}
	return all
}

// light are the columns that are always read.
const light = "id, workspace, kind, project, trace, parent, place, name, type, start, ended, status, patched, reference, tags, bytes, attached, error"

// heavy are the columns that are read where they are asked for, in the order in
// which rows have them.
var heavy = [...]struct {
	field trace.Fields
	name  string
	of    func(*trace.Run) *trace.Content
}{
	{trace.FieldInputs, "inputs", func(r *trace.Run) *trace.Content { return &r.Inputs }},
	{trace.FieldOutputs, "outputs", func(r *trace.Run) *trace.Content { return &r.Outputs }},
	{trace.FieldExtra, "extra", func(r *trace.Run) *trace.Content { return &r.Extra }},
	{trace.FieldEvents, "events", func(r *trace.Run) *trace.Content { return &r.Events }},
	{trace.FieldSerialized, "serialized", func(r *trace.Run) *trace.Content { return &r.Serialized }},
}

// reading is a query of runs with some of their heavy columns.
func reading(query string, some trace.Fields) string {
	names := make([]string, len(heavy))
	for i, c := range heavy {
		if names[i] = "NULL"; some.Has(c.field) {
			names[i] = c.name
		}
	}
	return strings.Replace(query, "{heavy}", strings.Join(names, ", "), 1)
}

// lists are the queries by index and direction.
var lists = func() (all [2][2]string) {
	for root, kind := range []string{"kind > 0", "kind = 1"} {
		for oldest, order := range [][2]string{{"<", "DESC"}, {">", "ASC"}} {
			all[root][oldest] = strings.NewReplacer("{kind}", kind, "{before}", order[0], "{direction}", order[1]).Replace(queries["list"])
		}
	}
	return all
}()
