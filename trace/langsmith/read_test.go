package langsmith_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace/langsmith"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/sqlite"
)

// find returns all runs that a query finds.
func (o *office) find(who, query string) (all []kept) {
	o.t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(query), &body); err != nil {
		o.t.Fatal(err)
	}
	for {
		text, _ := json.Marshal(body)
		got := o.ask(who, "POST", "/runs/query", string(text))
		if got.status != http.StatusOK {
			o.t.Fatalf("query %s: %d %s", text, got.status, got.body)
		}
		var page struct {
			Runs    []kept
			Cursors struct{ Next *string }
		}
		must(o.t, json.Unmarshal([]byte(got.body), &page))
		if all = append(all, page.Runs...); page.Cursors.Next == nil {
			return all
		}
		body["cursor"] = *page.Cursors.Next
	}
}

// tell writes some runs to the project p, and says which that is.
func (o *office) tell(who string) (project string) {
	o.t.Helper()
	o.send(who,
		part{"post." + rootID, "", run(`{"end_time": "2026-03-01T12:00:03Z"}`)},
		part{"post." + childID, "", run(`{"id": "` + childID + `", "parent_run_id": "` + rootID + `", "dotted_order": "` + below + `", "name": "shout", "run_type": "tool", "tags": ["beta"], "start_time": "2026-03-01T12:00:01Z", "error": "no luck"}`)},
		part{"post." + childID + ".outputs", "", `{"loud": "HELLO"}`},
	).expect(o.t, http.StatusAccepted, "")
	return o.read(who, rootID).Project
}

func TestQueries(t *testing.T) {
	o := open(t)
	p := o.tell("w")
	for query, want := range map[string][]string{
		`{}`:                                               {"shout", "talk"},
		`{"order": "asc"}`:                                 {"talk", "shout"},
		`{"limit": 1}`:                                     {"shout", "talk"}, // in two pages
		`{"is_root": true}`:                                {"talk"},
		`{"is_root": false}`:                               {"shout"},
		`{"execution_order": 1}`:                           {"talk"},
		`{"error": true}`:                                  {"shout"},
		`{"error": false}`:                                 {"talk"},
		`{"run_type": "tool"}`:                             {"shout"},
		`{"id": ["` + rootID + `"]}`:                       {"talk"},
		`{"trace": "` + rootID + `"}`:                      {"shout", "talk"},
		`{"parent_run": "` + rootID + `"}`:                 {"shout"},
		`{"query": "hello"}`:                               {"shout"},
		`{"filter": "has(tags, \"beta\")"}`:                {"shout"},
		`{"filter": "eq(status, \"error\")"}`:              {"shout"},
		`{"trace_filter": "eq(name, \"no\")"}`:             {},
		`{"start_time": "2026-03-01T12:00:01"}`:            {"shout"},
		`{"end_time": "2026-03-01T12:00:01Z"}`:             {"talk"},
		`{"reference_example": null, "tree_filter": null}`: {"shout", "talk"},
	} {
		var body map[string]any
		must(t, json.Unmarshal([]byte(query), &body))
		body["session"] = []string{p}
		text, _ := json.Marshal(body)
		names := []string{}
		for _, r := range o.find("w", string(text)) {
			names = append(names, r.Name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s finds %q, want %q", query, names, want)
		}
	}
}

// What is not understood is refused: it would find what was not asked for.
// A search that takes too long does not end as if there were nothing: it says where
// to go on.
func TestASearchIsCutOff(t *testing.T) {
	o := open(t, func(c *langsmith.Config) {
		engine, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "traces"))
		must(t, err)
		c.Runs = store.New(engine, nil, store.Config{Now: c.Now, Looks: 2})
		t.Cleanup(func() { must(t, c.Runs.Close()) })
	})
	var parts []part
	for n := range 45 {
		id := fmt.Sprintf("%08d-0000-4000-8000-000000000000", n+1)
		parts = append(parts, part{"post." + id, "", run(fmt.Sprintf(`{"id": %q, "trace_id": null, "dotted_order": null, "start_time": "2026-03-01T12:00:%02d", "tags": ["n%d"]}`, id, n, n))})
	}
	o.send("w", parts...).expect(t, http.StatusAccepted, "")
	project := o.read("w", "00000001-0000-4000-8000-000000000000").Project
	ask := func(cursor string) answered {
		return o.ask("w", "POST", "/runs/query", `{"session": ["`+project+`"], "filter": "has(tags, \"n0\")", "cursor": "`+cursor+`"}`)
	}
	got := ask("")
	for _, began := range []string{"12:00:25", "12:00:05"} {
		got.expect(t, http.StatusBadRequest, "up to one that began at 2026-03-01T"+began+".000000Z, and there are more")
		_, rest, _ := strings.Cut(got.body, `the cursor \"`)
		cursor, _, _ := strings.Cut(rest, `\"`)
		got = ask(cursor)
	}
	got.expect(t, http.StatusOK, `"tags":["n0"]`)
}

func TestBadQueries(t *testing.T) {
	o := open(t)
	p := o.tell("w")
	for query, c := range map[string]struct {
		status int
		says   string
	}{
		`{"tree_filter": "eq(name, \"x\")"}`:    {400, "tree_filter"},
		`{"filter": "eq(name"}`:                 {400, ""},
		`{"filter": "eq(feedback_key, \"x\")"}`: {400, "feedback_key"},
		`{"order": "random"}`:                   {400, "order"},
		`{"cursor": "x"}`:                       {400, "cursor"},
		`{"limit": -1}`:                         {400, "limit"},
		`{"limit": "many"}`:                     {400, "limit"},
		`{"id": ["x"]}`:                         {400, "UUID"},
		`{"reference_example": ["` + rootID + `", "` + childID + `"]}`: {400, "reference_example"},
		`{"session": ["33333333-3333-4333-8333-333333333333"]}`:        {404, "not found"},
		`{"session": []}`: {400, "in which projects"},
	} {
		var body map[string]any
		must(t, json.Unmarshal([]byte(query), &body))
		if body["session"] == nil {
			body["session"] = []string{p}
		}
		text, _ := json.Marshal(body)
		o.ask("w", "POST", "/runs/query", string(text)).expect(t, c.status, c.says)
	}
}

// Every run has some members whatever is selected, and never one that SDKs
// stumble over.
func TestSelect(t *testing.T) {
	o := open(t)
	p := o.tell("w")
	members := func(body string) []string {
		var page struct{ Runs []map[string]any }
		must(t, json.Unmarshal([]byte(o.ask("w", "POST", "/runs/query", body).body), &page))
		var names []string
		for name := range page.Runs[0] {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	if got := members(`{"session": ["` + p + `"], "select": ["outputs", "nothing"]}`); !slices.Equal(got, []string{"id", "name", "outputs", "run_type", "start_time"}) {
		t.Errorf("%q", got)
	}
	if got := members(`{"session": ["` + p + `"]}`); slices.Contains(got, "attachments") || !slices.Contains(got, "s3_urls") {
		t.Errorf("%q", got)
	}
}

// Nobody sees or changes what is another workspace's, an agent what is another
// project's, and nobody what is being deleted.
func TestStrangers(t *testing.T) {
	o := open(t)
	p := o.tell("w")
	for _, who := range []string{"v", "v/read", "agent/w/q", "agent/v/p"} {
		o.ask(who, "GET", "/runs/"+rootID, "").expect(t, http.StatusNotFound, "not found")
		o.ask(who, "GET", "/api/v2/runs/"+rootID, "").expect(t, http.StatusNotFound, "not found")
		o.ask(who, "POST", "/runs/query", `{"session": ["`+p+`"]}`).expect(t, http.StatusNotFound, "not found")
		o.ask(who, "POST", "/runs/query", `{"id": ["`+rootID+`"]}`).expect(t, http.StatusOK, `"runs":[]`)
		o.ask(who, "POST", "/runs/query", `{"trace": "`+rootID+`"}`).expect(t, http.StatusOK, `"runs":[]`)
		o.ask(who, "GET", "/sessions/"+p, "").expect(t, http.StatusNotFound, "not found")
		o.ask(who, "GET", "/sessions", "").expect(t, http.StatusOK, "[]")
	}
	o.send("v", part{"patch." + rootID, "", `{"tags": ["mine"]}`}).expect(t, http.StatusAccepted, "") // of a run of theirs that may come
	o.send("v", part{"post." + rootID, "", run(`{"name": "theirs"}`)}).expect(t, http.StatusAccepted, "")
	if r := o.read("w", rootID); r.Tags != nil || r.Name != "talk" {
		t.Errorf("changed from the outside: %+v", r)
	}
	if r := o.read("agent/w/p", rootID); r.Name != "talk" {
		t.Errorf("the agent's own: %+v", r)
	}
	_, err := o.desk.CreateProject(t.Context(), slipway.Principal{Workspace: "w"}, slipway.NewProject{Name: "q"})
	must(t, err)
	o.send("agent/w/q", part{"patch." + rootID, "", `{"tags": ["mine"]}`}).expect(t, http.StatusBadRequest, "not found")
	o.send("agent/w/q", part{"post." + childID, "", run(`{"id": "` + childID + `"}`)}).expect(t, http.StatusForbidden, "")
	o.send("agent/w/p", part{"patch." + rootID, "", `{"tags": ["own"]}`}).expect(t, http.StatusAccepted, "")
	if r := o.read("w", rootID); !slices.Equal(r.Tags, []string{"own"}) {
		t.Errorf("changed by another agent: %+v", r)
	}
	o.ask("w", "DELETE", "/sessions/"+p, "").expect(t, http.StatusAccepted, "")
	o.ask("w", "GET", "/runs/"+rootID, "").expect(t, http.StatusNotFound, "")
	o.ask("w", "POST", "/runs/query", `{"trace": "`+rootID+`"}`).expect(t, http.StatusOK, `"runs":[]`)
}

// An agent that knows the trace of another's runs, and has put one of its own into
// it, learns nothing of them.
func TestTheTraceOfAnother(t *testing.T) {
	const own = "33333333-3333-4333-8333-333333333333"
	o := open(t)
	o.tell("w")
	o.send("w", part{"patch." + rootID + ".inputs", "", `"a secret"`}).expect(t, http.StatusAccepted, "")
	model := run(`{"id": "44444444-4444-4444-8444-444444444444", "dotted_order": "` + order + `.20260301T120001000000Z44444444-4444-4444-8444-444444444444", "run_type": "llm", "outputs": {"usage_metadata": {"input_tokens": 3}}}`)
	o.ask("w", "POST", "/runs", model).expect(t, http.StatusAccepted, "")
	_, err := o.desk.CreateProject(t.Context(), slipway.Principal{Workspace: "w"}, slipway.NewProject{Name: "q"})
	must(t, err)
	mine := run(`{"id": "` + own + `", "dotted_order": null, "parent_run_id": "` + childID + `", "session_name": "q", "name": "mine"}`)
	o.send("agent/w/q", part{"post." + own, "", mine}).expect(t, http.StatusAccepted, "")
	for who, want := range map[string]int{"agent/w/q": 0, "w": 1} {
		for _, filter := range []string{`search(\"secret\")`, `eq(name, \"talk\")`} {
			if found := o.find(who, `{"id": ["`+own+`"], "trace_filter": "`+filter+`"}`); len(found) != want {
				t.Errorf("%s with %s finds %+v", who, filter, found)
			}
		}
	}
	o.ask("agent/w/q", "POST", "/runs/query", `{"parent_run": "`+childID+`"}`).expect(t, http.StatusBadRequest, "")
	if r := o.read("agent/w/q", own); strings.Contains(r.DottedOrder, rootID) {
		t.Errorf("the agent is told of the runs above: %+v", r)
	}
	if r := o.read("w", own); !strings.Contains(r.DottedOrder, rootID) {
		t.Errorf("the workspace is told nothing of the runs above: %+v", r)
	}
	const root = "55555555-5555-4555-8555-555555555555"
	for _, r := range []string{`"id": "` + root + `", "parent_run_id": null, "session_name": "q"`, `"id": "66666666-6666-4666-8666-666666666666", "run_type": "llm", "session_name": "p", "parent_run_id": "` + root + `", "outputs": {"usage_metadata": {"input_tokens": 5}}`} {
		o.ask("w", "POST", "/runs", run(`{"trace_id": "`+root+`", "dotted_order": null, `+r+`}`)).expect(t, http.StatusAccepted, "")
	}
	o.ask("agent/w/q", "GET", "/runs/"+root, "").expect(t, http.StatusOK, `"total_tokens":null`)
}

func TestScopes(t *testing.T) {
	o := open(t)
	p := o.tell("w")
	o.ask("", "GET", "/runs/"+rootID, "").expect(t, http.StatusUnauthorized, "Invalid API key.")
	o.ask("", "POST", "/runs", run("")).expect(t, http.StatusUnauthorized, "Invalid API key.")
	o.ask("", "GET", "/info", "").expect(t, http.StatusOK, "use_multipart_endpoint")
	o.ask("w/read", "GET", "/runs/"+rootID, "").expect(t, http.StatusOK, "talk")
	o.ask("w/read", "POST", "/runs", run("")).expect(t, http.StatusForbidden, "'deploy'")
	o.ask("w/deploy", "DELETE", "/sessions/"+p, "").expect(t, http.StatusForbidden, "'delete'")
	o.ask("w/deploy", "GET", "/sessions", "").expect(t, http.StatusForbidden, "'read'")
	got := o.ask("often", "POST", "/runs", run(""))
	if got.expect(t, http.StatusServiceUnavailable, "Too many"); got.header.Get("Retry-After") != "1" {
		t.Errorf("%v", got.header)
	}
	r := o.request("", "GET", "/sessions", "", nil)
	r.Header.Set("Authorization", "Bearer w")
	o.do(r).expect(t, http.StatusOK, p)
}

func TestAttachmentAddresses(t *testing.T) {
	o := open(t)
	o.send("w", part{"post." + rootID, "", run("")}, part{"attachment." + rootID + ".a ☃/b?", "text/html", "<script>"}).expect(t, http.StatusAccepted, "")
	var address string
	for _, f := range o.read("w", rootID).Files {
		address = f.URL
	}
	get := func(address string) answered {
		r, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
		must(t, err)
		return o.do(r)
	}
	got := get(address)
	if got.expect(t, http.StatusOK, "<script>"); got.header.Get("Content-Disposition") != "attachment" || got.header.Get("Content-Security-Policy") != "sandbox" {
		t.Errorf("a browser would run it: %v", got.header)
	}
	u, err := url.Parse(address)
	must(t, err)
	for name, change := range map[string]func(url.Values){
		"another workspace": func(q url.Values) { q.Set("workspace", "v") },
		"later":             func(q url.Values) { q.Set("expires", "99999999999") },
		"unsigned":          func(q url.Values) { q.Del("signature") },
	} {
		q := u.Query()
		change(q)
		changed := *u
		changed.RawQuery = q.Encode()
		if got := get(changed.String()); got.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	o.now = o.now.Add(61 * 60e9)
	get(address).expect(t, http.StatusForbidden, "expired")
}

// A value whose day is dropped while its run is answered is none, and cuts nothing.
func TestAValueGoesMeanwhile(t *testing.T) {
	o := open(t)
	o.send("w", part{"post." + rootID, "", run("")}, part{"post." + rootID + ".inputs", "", `{"a": "` + strings.Repeat("x", 2<<20) + `"}`},
		part{"attachment." + rootID + ".file", "text/plain", strings.Repeat("x", 2<<20)}).expect(t, http.StatusAccepted, "")
	file := o.read("w", rootID).Files["attachment.file"].URL
	must(t, os.RemoveAll(filepath.Join(o.folder, "traces"))) // as dropping begins
	if r := o.read("w", rootID); r.Name != "talk" || string(r.Inputs) != "null" {
		t.Errorf("%+v", r)
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", file, nil)
	must(t, err)
	o.do(r).expect(t, http.StatusNotFound, "was removed")
}

func TestSessions(t *testing.T) {
	o := open(t)
	p := o.tell("w")
	var s map[string]any
	must(t, json.Unmarshal([]byte(o.ask("w", "GET", "/sessions/"+p, "").body), &s))
	for key, want := range map[string]any{"id": p, "tenant_id": "w", "name": "p", "reference_dataset_id": nil, "run_count": 2.0, "error_rate": 0.0, "last_run_start_time": "2026-03-01T12:00:01.000000"} {
		if got, ok := s[key]; !ok || got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	if p50, _ := s["latency_p50"].(float64); p50 < 2.7 || p50 > 3.3 {
		t.Errorf("latency_p50 is %v", s["latency_p50"])
	}
	o.ask("w", "POST", "/sessions", `{"name": "mine", "id": "33333333-3333-4333-8333-333333333333", "extra": null, "description": "d"}`).expect(t, http.StatusOK, `"id":"33333333-3333-4333-8333-333333333333"`)
	o.ask("w", "POST", "/sessions", `{"name": "mine"}`).expect(t, http.StatusConflict, "already exists")
	o.ask("w", "POST", "/sessions?upsert=True", `{"name": "mine"}`).expect(t, http.StatusOK, "3333")
	o.ask("w", "PATCH", "/sessions/33333333-3333-4333-8333-333333333333", `{"name": null, "description": "e", "extra": {"metadata": {"k": 1}}, "end_time": "2026-03-01T12:00:00Z"}`).expect(t, http.StatusOK, `"description":"e","extra":{"metadata":{"k":1}}`)
	o.ask("w", "POST", "/sessions", `{"name": "of data", "reference_dataset_id": "`+rootID+`"}`).expect(t, http.StatusBadRequest, "no datasets")
	for query, want := range map[string]string{
		"":                           "mine p",
		"name=p":                     "p",
		"name=":                      "",
		"name=nothing":               "",
		"name_contains=in":           "mine",
		"limit=1":                    "mine",
		"limit=1&offset=1":           "p",
		"id=" + p:                    "p",
		"reference_free=True":        "mine p",
		"reference_free=false":       "",
		"reference_dataset=" + p:     "",
		"include_stats=False&name=p": "p",
	} {
		var found []map[string]any
		got := o.ask("w", "GET", "/sessions?"+query, "")
		if err := json.Unmarshal([]byte(got.body), &found); err != nil {
			t.Fatalf("%s: %d %s", query, got.status, got.body)
		}
		var names []string
		for _, f := range found {
			names = append(names, f["name"].(string))
			if counted := f["run_count"] != nil; counted != !strings.Contains(query, "False&") {
				t.Errorf("%s: counted: %t", query, counted)
			}
		}
		if strings.Join(names, " ") != want {
			t.Errorf("%q finds %q, want %q", query, names, want)
		}
	}
	for _, query := range []string{"limit=0", "limit=x", "limit=1001", "offset=-1", "metadata={}", "sort_by=name", "include_stats=maybe"} {
		o.ask("w", "GET", "/sessions?"+query, "").expect(t, http.StatusBadRequest, "")
	}
}

func TestSecondVersion(t *testing.T) {
	o := open(t)
	p := o.tell("w")
	query := func(more string) answered {
		return o.ask("w", "POST", "/api/v2/runs/query", `{"project_ids": ["`+p+`"]`+more+`}`)
	}
	query("").expect(t, http.StatusOK, `{"items":[{"id":"`+childID+`"},{"id":"`+rootID+`"}]}`)
	query(`, "run_type": "TOOL", "has_error": true, "selects": ["NAME", "RUN_TYPE", "STATUS", "START_TIME", "LATENCY_SECONDS", "OUTPUTS", "PROJECT_ID"]`).expect(t, http.StatusOK,
		`{"items":[{"outputs":{"loud": "HELLO"},"id":"`+childID+`","name":"shout","run_type":"TOOL","status":"ERROR","start_time":"2026-03-01T12:00:01.000000Z","project_id":"`+p+`","latency_seconds":null}]}`)
	query(`, "page_size": 1`).expect(t, http.StatusOK, `],"next_cursor":"`)
	query(`, "ai_search": "what failed"`).expect(t, http.StatusBadRequest, "ai_search")
	o.ask("w", "POST", "/api/v2/runs/query", `{}`).expect(t, http.StatusBadRequest, "in which projects")
	o.ask("w", "GET", "/api/v2/runs/"+rootID+"?project_id="+p+"&selects=NAME&selects=IS_ROOT", "").expect(t, http.StatusOK, `{"id":"`+rootID+`","name":"talk","is_root":true}`)
	o.ask("w", "GET", "/api/v2/runs/"+rootID+"?project_id="+rootID, "").expect(t, http.StatusNotFound, "")
	o.now = o.now.Add(48 * 3600e9)
	query("").expect(t, http.StatusOK, `{"items":[]}`)
	query(`, "min_start_time": "2026-01-01T00:00:00Z"`).expect(t, http.StatusOK, rootID)
}

// Every prefix leads to the same, and nothing is redirected.
func TestPrefixes(t *testing.T) {
	o := open(t)
	o.tell("w")
	for _, prefix := range []string{"", "/api", "/api/v1", "/v1"} {
		o.ask("w", "GET", prefix+"/runs/"+rootID, "").expect(t, http.StatusOK, "talk")
		o.ask("w", "GET", prefix+"/settings", "").expect(t, http.StatusOK, `"display_name":"of w","id":"w"`)
		o.ask("", "POST", prefix+"/metadata/submit", `{"from": "an agent server"}`).expect(t, http.StatusNoContent, "")
		o.ask("w", "PUT", prefix+"/runs", "").expect(t, http.StatusMethodNotAllowed, "Method Not Allowed")
		o.ask("w", "GET", prefix+"/runs/a/b/c", "").expect(t, http.StatusNotFound, "Not Found")
		o.ask("w", "GET", prefix+"/runs/", "").expect(t, http.StatusNotFound, "Not Found")
	}
	for _, pattern := range langsmith.New(langsmith.Config{}).Routes() {
		method, path, _ := strings.Cut(pattern, " ")
		if !langsmith.Matches(httptest.NewRequest(method, strings.NewReplacer("{", "", "}", "").Replace(path), nil)) {
			t.Errorf("%s is served and does not match", pattern)
		}
	}
	for _, path := range []string{"/", "/v1", "/api", "/v2/deployments", "/v1/projects/a/deploy_logs", "/api-host/runs", "/d/runs", "/runsx", "/api/v2/runsx"} {
		if langsmith.Matches(httptest.NewRequest("GET", path, nil)) {
			t.Errorf("%s matches", path)
		}
	}
}

func TestInfo(t *testing.T) {
	o := open(t)
	var info struct {
		Version string
		Batch   map[string]any `json:"batch_ingest_config"`
		Flags   map[string]any `json:"instance_flags"`
	}
	must(t, json.Unmarshal([]byte(o.ask("", "GET", "/info", "").body), &info))
	for _, key := range []string{"use_multipart_endpoint", "size_limit", "size_limit_bytes", "scale_up_qsize_trigger", "scale_up_nthreads_limit", "scale_down_nempty_trigger"} {
		if info.Batch[key] == nil {
			t.Errorf("%s is missing: it stops senders", key)
		}
	}
	if fmt.Sprint(info.Flags["sdb_query_enabled"], info.Flags["zstd_compression_enabled"], info.Flags["gzip_body_enabled"]) != "false true true" || info.Version < "0.16.14" {
		t.Errorf("%+v", info)
	}
}
