package trace_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/trace"
)

// run is what filters are asked about.
func run(t testing.TB) *trace.Run {
	return &trace.Run{
		ID: id(t, childID), Trace: id(t, rootID), Parent: id(t, rootID), Name: `the "agent"`, Type: "llm", Start: start, End: start.Add(2500 * time.Millisecond),
		Error: "Timeout", Tags: []string{"beta", "eu"}, Inputs: value("Grüße aus Köln"), Outputs: trace.Inline([]byte(`"Z\u00fcrich <b>"`)),
		Extra: value(map[string]any{"metadata": map[string]any{"user": "anna", "n": 3, "deep": map[string]any{"a": []int{1}}, "on": true, "thread_id": "t-1"}}),
	}
}

func TestFilters(t *testing.T) {
	for text, want := range map[string]bool{
		`eq(name, "the \"agent\"")`:                                 true,
		`eq(name, 'the "agent"')`:                                   true,
		`eq(name, "the agent")`:                                     false,
		`neq(name, "other")`:                                        true,
		` eq ( run_type , "llm" ) `:                                 true,
		`eq(status, "error")`:                                       true,
		`eq(error, "Timeout")`:                                      true,
		`eq(error, null)`:                                           false,
		`neq(error, null)`:                                          true,
		`neq(error, None)`:                                          true,
		`eq(is_root, True)`:                                         false,
		`eq(is_root, false)`:                                        true,
		`gt(latency, 2.4)`:                                          true,
		`gt(latency, "2.5s")`:                                       false,
		`gte(latency, "2500ms")`:                                    true,
		`lt(latency, 3)`:                                            true,
		`lte(latency, 2)`:                                           false,
		`gt(start_time, "2026-03-01T11:59:59Z")`:                    true,
		`gte(start_time, "2026-03-01T12:00:00")`:                    true,
		`lt(start_time, "2026-03-01T13:00:00+02:00")`:               false,
		`lte(end_time, "2026-03-01T12:00:02.5Z")`:                   true,
		`has(tags, "beta")`:                                         true,
		`has(tags, "gamma")`:                                        false,
		`has(metadata, '{"user": "anna", "n": 3}')`:                 true,
		`has(metadata, '{"deep": {"a": [1]}}')`:                     true,
		`has(metadata, '{"user": "otto"}')`:                         false,
		`exists(metadata, "on")`:                                    true,
		`not(exists(metadata, "off"))`:                              true,
		`and(eq(metadata_key, "user"), eq(metadata_value, "anna"))`: true,
		`and(eq(metadata_key, "user"), eq(metadata_value, 3))`:      false,
		`and(eq(metadata_key, "n"), eq(metadata_value, 3))`:         true,
		`and(eq(metadata_key, "on"), eq(metadata_value, true))`:     true,
		`eq(metadata_key, "deep")`:                                  true,
		`in(metadata_key, ["x", "n"])`:                              true,
		`and(and(eq(metadata_key, "n"), eq(metadata_value, 3)), and(eq(metadata_key, "user"), eq(metadata_value, "anna")))`: true,
		`eq(thread_id, "t-1")`:                                         true,
		`eq(id, "` + strings.ToUpper(childID) + `")`:                   true,
		`eq(trace_id, "` + rootID + `")`:                               true,
		`neq(parent_run_id, null)`:                                     true,
		`in(id, ["` + rootID + `", "` + childID + `"])`:                true,
		`in(run_type, [])`:                                             false,
		`search("timeout")`:                                            true,
		`search("grüße KÖLN")`:                                         true,
		`search("zürich <b>")`:                                         true,
		`search("timeout nowhere")`:                                    false,
		`or(eq(name, "x"), and(eq(run_type, "llm"), has(tags, "eu")))`: true,
		`or(eq(name, "x"), eq(name, "y"))`:                             false,
		``:                                                             true,
	} {
		f, err := trace.ParseFilter(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := f.Holds(run(t)); got != want {
			t.Errorf("%s is %v", text, got)
		}
	}
}

// What a run does not tell is neither less nor more than anything.
func TestFiltersOfNothing(t *testing.T) {
	empty := &trace.Run{ID: id(t, rootID), Start: start}
	for text, want := range map[string]bool{
		`gt(latency, 0)`: false, `lt(latency, 100)`: false, `eq(latency, null)`: true, `neq(error, "x")`: true, `eq(error, null)`: true,
		`eq(metadata_key, "a")`: false, `eq(thread_id, null)`: true, `search("x")`: false, `has(tags, "x")`: false, `eq(end_time, null)`: true,
	} {
		f, err := trace.ParseFilter(text)
		equal(t, text, []any{f.Holds(empty), err}, []any{want, error(nil)})
	}
	broken := &trace.Run{Extra: trace.Inline([]byte("not JSON"))}
	f, _ := trace.ParseFilter(`exists(metadata, "a")`)
	equal(t, "metadata of what is no JSON", f.Holds(broken), false)
}

func TestFilterErrors(t *testing.T) {
	for text, says := range map[string][]string{
		`x`:                         {"character 1", "search"},
		`eq`:                        {"'('"},
		`eq(name "x")`:              {"character 9", "','"},
		`eq(name, "x"`:              {"')'"},
		`eq(name, "x")) `:           {"character 14", "nothing more"},
		`eq(name, "x`:               {"closing quote"},
		`eq(name, "\q")`:            {"escapes"},
		`eq(total_tokens, 3)`:       {"character 4", "latency", "metadata_key"},
		`eq(feedback_key, "x")`:     {"a field is expected"},
		`eq(name, 3)`:               {"character 10", "name", "text"},
		`gt(latency, "soon")`:       {"seconds"},
		`gt(start_time, 3)`:         {"time", "2026-03-01"},
		`gt(latency, null)`:         {"seconds"},
		`eq(is_root, "yes")`:        {"true or false"},
		`in(name, "x")`:             {"'['"},
		`in(name, ["x" "y"])`:       {"','"},
		`has(name, "x")`:            {"tags or metadata"},
		`has(metadata, "x")`:        {"JSON object"},
		`exists(tags, "x")`:         {"metadata"},
		`search(name)`:              {"text in quotes"},
		`and()`:                     {"expected"},
		`eq(name, hello)`:           {"text in quotes"},
		strings.Repeat("not(", 100): {"deep"},
		strings.Repeat("x", 1<<20):  {"bytes"},
	} {
		_, err := trace.ParseFilter(text)
		if err == nil {
			t.Errorf("%q is taken", text)
			continue
		}
		refused(t, err, says...)
	}
}

// What a filter asks of all runs is asked of the engine; it never leaves out more
// than the filter does.
func TestNarrow(t *testing.T) {
	r := run(t)
	for _, text := range []string{
		`eq(name, 'the "agent"')`, `eq(run_type, "llm")`, `eq(status, "error")`, `eq(is_root, false)`, `has(tags, "eu")`,
		`eq(id, "` + childID + `")`, `eq(trace_id, "` + rootID + `")`, `eq(parent_run_id, "` + rootID + `")`,
		`eq(start_time, "2026-03-01T12:00:00Z")`, `gte(start_time, "2026-03-01T12:00:00Z")`, `lte(start_time, "2026-03-01T12:00:00Z")`,
		`and(gt(start_time, "2026-03-01T11:00:00Z"), lt(start_time, "2026-03-01T13:00:00Z"))`,
		`or(eq(name, "x"), eq(run_type, "llm"))`, `not(eq(name, "x"))`, `neq(name, "x")`, `in(name, ["x", 'the "agent"'])`,
	} {
		f, err := trace.ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		narrow := trace.Query{Filter: f}.Narrow()
		if narrow.Filter = nil; !f.Holds(r) || !narrow.Matches(r) {
			t.Errorf("%s leaves out a run for which it holds", text)
		}
	}
	f, _ := trace.ParseFilter(`and(eq(name, "a"), eq(is_root, true), gt(start_time, "2026-03-01T12:00:00Z"))`)
	q := trace.Query{Filter: f}.Narrow()
	equal(t, "narrowed", []any{q.Name, *q.Root, q.Since}, []any{"a", true, start})
}

func FuzzParseFilter(f *testing.F) {
	f.Add(`and(eq(run_type, "llm"), gt(latency, 2.5), or(has(tags, 'a\'b'), neq(error, null)))`)
	f.Add(`in(id, ["x", null, true, -1e9])`)
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := trace.ParseFilter(text); err == nil {
			p.Holds(run(t))
			_ = trace.Query{Filter: p}.Narrow()
		}
	})
}
