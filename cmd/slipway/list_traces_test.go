package main

import (
	"strings"
	"testing"
	"time"
)

const tracedRuns = `{"runs":[` +
	`{"id":"b","trace_id":"a","dotted_order":"20260301T120000000000Za.20260301T120001000000Zb","name":"shout","run_type":"tool","start_time":"2026-03-01T12:00:01.000000","status":"error","end_time":"2026-03-01T12:00:02.500000","error":"no luck\nat all","tags":null},` +
	`{"id":"a","trace_id":"a","dotted_order":"20260301T120000000000Za","name":"talk","run_type":"chain","start_time":"2026-03-01T12:00:00.000000","status":"pending","end_time":null,"error":null,"tags":["beta"],"total_tokens":56}` +
	`],"cursors":{"next":null,"prev":null}}`

func TestTracesVerb(t *testing.T) {
	f := fakeControl(t, "DEPLOYED")
	f.refuse["GET /api/v1/sessions"] = answer{200, `[{"id":"p","name":"app","run_count":7,"slipway_root_run_count":3,"latency_p50":0.0125,"latency_p99":30,"total_tokens":1234,"error_rate":0.3333,"last_run_start_time":"2026-03-01T12:00:01.000000"},{"id":"q","name":"quiet","run_count":0}]`}
	f.refuse["POST /api/v1/runs/query"] = answer{200, tracedRuns}
	for _, c := range []struct {
		args  []string
		texts []string
	}{
		{nil, []string{"PROJECT", "app", "3", "7", "33.3 %", "12.5ms", "30s", "1234", "2026-03-01 12:00:01", "quiet", "-"}},
		{[]string{"app"}, []string{"2026-03-01 12:00:01", "shout", "tool", "error", "1.5s", "no luck …", "talk", "pending", "-", "56"}},
		{[]string{"--trace", "a"}, []string{"talk ", "chain", "56", "\n  shout", "tool"}},
		{[]string{"app", "--json"}, []string{`"dotted_order"`}},
	} {
		r := slipwayWith(t.Context(), "", append([]string{"traces"}, c.args...)...)
		if r.code != exitOK {
			t.Fatalf("%v: %d %s", c.args, r.code, r.errs)
		}
		contains(t, strings.Join(c.args, " "), r.out, c.texts...)
	}
	f.refuse["GET /api/v1/sessions"] = answer{200, "[]"}
	if r := slipwayWith(t.Context(), "", "traces"); r.code != exitOK || !strings.Contains(r.out, "no tracing project yet") {
		t.Errorf("none: %d %s%s", r.code, r.out, r.errs)
	}
	if r := slipwayWith(t.Context(), "", "traces", "app"); r.code != exitFailed || !strings.Contains(r.errs, `no tracing project "app"`) {
		t.Errorf("not there: %d %s", r.code, r.errs)
	}
	if r := slipwayWith(t.Context(), "", "traces", "--limit", "-1"); r.code != exitUsage {
		t.Errorf("a negative limit: %d %s", r.code, r.errs)
	}
}

func TestTracesFilter(t *testing.T) {
	for want, o := range map[string]tracesOptions{
		``:                    {},
		`eq(name, "a \"b\"")`: {name: `a "b"`},
		`gt(latency, "5s")`:   {grammar: `gt(latency, "5s")`},
		`and(eq(status, "error"), has(tags, "x"), search("no luck"), eq(run_type, "llm"))`: {status: "error", tag: "x", text: "no luck", grammar: `eq(run_type, "llm")`},
	} {
		if got := o.filter(); got != want {
			t.Errorf("%+v: %s, want %s", o, got, want)
		}
	}
}

func TestDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"14d": 14 * 24 * time.Hour, "0": 0, "36h": 36 * time.Hour} {
		var d days
		if err := d.Set(text); err != nil || time.Duration(d) != want {
			t.Errorf("%s: %v, %v", text, time.Duration(d), err)
		}
	}
	for _, text := range []string{"", "-1d", "-1h", "d", "soon", "99999d"} {
		var d days
		if err := d.Set(text); err == nil {
			t.Errorf("%q is taken as %v", text, time.Duration(d))
		}
	}
}
