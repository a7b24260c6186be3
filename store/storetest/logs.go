package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/slipwayhq/slipway"
)

func (w *world) appendLogs(lines ...slipway.LogLine) {
	w.Helper()
	w.update(func(tx slipway.Tx) error { return tx.AppendLogs(lines) })
}

func (w *world) logs(q slipway.LogQuery) []slipway.StoredLine {
	w.Helper()
	return read(w, func(tx slipway.Tx) ([]slipway.StoredLine, error) { return tx.QueryLogs(q) })
}

func messages(lines []slipway.StoredLine) (m []string) {
	for _, l := range lines {
		m = append(m, l.Message)
	}
	return m
}

// written makes n lines, every third of a build.
func written(d slipway.DeploymentID, r slipway.RevisionID, n int) (lines []slipway.LogLine) {
	for i := range n {
		l := slipway.LogLine{
			Deployment: d, Revision: r, Kind: slipway.DeployLog, Origin: "instance", Offset: int64(i + 1),
			At: at(float64(i)), Level: "INFO", Message: fmt.Sprint("line ", i),
		}
		if i%3 == 0 {
			l.Kind, l.Origin = slipway.BuildLog, "build"
		}
		lines = append(lines, l)
	}
	return lines
}

// Pages, in either order, follow one another without a gap or a repetition.
func testLogOrder(t *testing.T, w *world) {
	d := w.deployment("app", 0).ID
	lines := written(d, "r1", 10)
	w.appendLogs(lines...)
	w.appendLogs(written(w.deployment("other", 0).ID, "r1", 10)...)
	for _, kind := range []slipway.LogKind{"", slipway.BuildLog, slipway.DeployLog} {
		for _, revision := range []slipway.RevisionID{"", "r1"} {
			for _, newest := range []bool{false, true} {
				want := slices.DeleteFunc(slices.Clone(lines), func(l slipway.LogLine) bool { return kind != "" && l.Kind != kind })
				if newest {
					slices.Reverse(want)
				}
				q := slipway.LogQuery{Deployment: d, Kind: kind, Revision: revision, Newest: newest, Limit: 3}
				equal(t, fmt.Sprintf("pages of %+v", q), w.pages(q), want)
			}
		}
	}
	equal(t, "without a limit", len(w.logs(slipway.LogQuery{Deployment: d})), 10)
	equal(t, "of another revision", len(w.logs(slipway.LogQuery{Deployment: d, Revision: "r2"})), 0)
}

func (w *world) pages(q slipway.LogQuery) (lines []slipway.LogLine) {
	for {
		page := w.logs(q)
		if len(page) == 0 {
			return lines
		}
		for _, l := range page {
			lines = append(lines, l.LogLine)
		}
		q.After = page[len(page)-1].Position
	}
}

func testLogFilters(t *testing.T, w *world) {
	d := w.deployment("app", 0).ID
	lines := written(d, "r1", 4)
	const last = `a!b {"run_id": "0190A0A0"} done`
	for i, m := range []string{"100% Done", "100 done", "user_name ÄÖ", last} {
		lines[i].Message = m
	}
	lines[1].Level, lines[2].Revision = "ERROR", "r2"
	w.appendLogs(lines...)
	for name, c := range map[string]struct {
		q    slipway.LogQuery
		want []string
	}{
		"level":        {slipway.LogQuery{Level: "ERROR"}, []string{"100 done"}},
		"revision":     {slipway.LogQuery{Revision: "r2"}, []string{"user_name ÄÖ"}},
		"since":        {slipway.LogQuery{Since: at(2)}, []string{"user_name ÄÖ", last}},
		"until":        {slipway.LogQuery{Until: at(2)}, []string{"100% Done", "100 done"}},
		"from to":      {slipway.LogQuery{Since: at(1), Until: at(3), Newest: true}, []string{"user_name ÄÖ", "100 done"}},
		"any case":     {slipway.LogQuery{Contains: "dONE"}, []string{"100% Done", "100 done", last}},
		"run":          {slipway.LogQuery{Run: "0190a0a0"}, []string{last}},
		"run and text": {slipway.LogQuery{Run: "0190a0a0", Contains: "done", Newest: true}, []string{last}},
		"run, no text": {slipway.LogQuery{Run: "0190a0a0", Contains: "user"}, nil},
		"other run":    {slipway.LogQuery{Run: "0190a0a1", Revision: "r1"}, nil},
		"percent":      {slipway.LogQuery{Contains: "0% d"}, []string{"100% Done"}},
		"underscore":   {slipway.LogQuery{Contains: "r_n"}, []string{"user_name ÄÖ"}},
		"no wildcard":  {slipway.LogQuery{Contains: "1_0"}, nil},
		"escape":       {slipway.LogQuery{Contains: "!"}, []string{last}},
		"other script": {slipway.LogQuery{Contains: "ÄÖ"}, []string{"user_name ÄÖ"}},
	} {
		c.q.Deployment = d
		equal(t, name, messages(w.logs(c.q)), c.want)
	}
}

func testLogDedupe(t *testing.T, w *world) {
	d := w.deployment("app", 0).ID
	end := func(origin string) int64 {
		return read(w, func(tx slipway.Tx) (int64, error) { return tx.LogEnd(d, origin) })
	}
	equal(t, "end of nothing", end("instance"), int64(0))
	lines := written(d, "r1", 6)
	w.appendLogs(lines[:4]...)
	before := w.logs(slipway.LogQuery{Deployment: d})
	again := slices.Clone(lines)
	again[1].Message = "another text"
	w.appendLogs(again...)
	w.appendLogs()
	after := w.logs(slipway.LogQuery{Deployment: d})
	equal(t, "what was there", after[:4], before)
	equal(t, "lines", messages(after), []string{"line 0", "line 1", "line 2", "line 3", "line 4", "line 5"})
	equal(t, "ends", []int64{end("instance"), end("build"), end("no")}, []int64{6, 4, 0})

	other := w.deployment("other", 0).ID
	w.appendLogs(written(other, "r2", 1)[0], slipway.LogLine{Deployment: "gone", Kind: slipway.DeployLog}, written(d, "r1", 8)[7])
	equal(t, "lines of a deployment that is gone are left out", len(w.logs(slipway.LogQuery{Deployment: "gone"})), 0)
	equal(t, "the others' are kept", []int{len(w.logs(slipway.LogQuery{Deployment: other})), len(w.logs(slipway.LogQuery{Deployment: d}))}, []int{1, 7})
	w.refused(errOwn, func(tx slipway.Tx) error { return errors.Join(tx.AppendLogs(written(d, "r1", 20)), errOwn) })
	equal(t, "nothing of a failed function", end("instance"), int64(8))
}
