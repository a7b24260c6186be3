package langsmith_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace/langsmith"
)

func TestARunComesInParts(t *testing.T) {
	o := open(t)
	o.send("w",
		part{"post." + rootID, "", run(`{"inputs": {"never": "sent here"}}`)},
		part{"post." + rootID + ".inputs", "", `{"a": 1}`},
		part{"post." + childID, "", run(`{"id": "` + childID + `", "parent_run_id": "` + rootID + `", "dotted_order": "` + below + `", "name": "shout", "tags": ["beta"]}`)},
		part{"patch." + childID, "", `{"id": "` + childID + `", "end_time": "2026-03-01T12:00:02Z", "name": null, "tags": null}`},
		part{"patch." + childID + ".error", "", `"no luck"`},
		part{"attachment." + childID + ".picture", "image/png", "PNG"},
		part{"feedback." + rootID, "", `{"score": 1}`},
	).expect(t, http.StatusAccepted, `"accepted":3`)
	root, child := o.read("w", rootID), o.read("w", childID)
	if string(root.Inputs) != `{"a": 1}` || root.Status != "pending" || root.StartTime != begun {
		t.Errorf("root: %+v", root)
	}
	if child.Name != "shout" || child.Status != "error" || *child.Error != "no luck" || *child.ParentRunID != rootID || child.Tags[0] != "beta" {
		t.Errorf("child: %+v", child)
	}
	if f := child.Files["attachment.picture"]; f.Type != "image/png" || o.fetch(f.URL) != "PNG" {
		t.Errorf("attachment: %+v", f)
	}
}

func (o *office) fetch(url string) string {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), "GET", url, nil)
	must(o.t, err)
	return o.do(r).body
}

func TestAPatchComesFirst(t *testing.T) {
	o := open(t)
	o.send("w", part{"patch." + rootID, "", `{"end_time": 1772366402000}`}, part{"patch." + rootID + ".outputs", "", `{"b": 2}`}).expect(t, http.StatusAccepted, "")
	o.ask("w", "GET", "/runs/"+rootID, "").expect(t, http.StatusNotFound, rootID)
	o.send("w", part{"post." + rootID, "", run("")}).expect(t, http.StatusAccepted, "")
	if r := o.read("w", rootID); r.Status != "success" || string(r.Outputs) != `{"b": 2}` || *r.EndTime != "2026-03-01T12:00:02.000000" {
		t.Errorf("%+v", r)
	}
}

func TestBatchesAndSingleRuns(t *testing.T) {
	o := open(t)
	o.ask("w", "POST", "/runs/batch", `{"post": [`+run("")+`], "patch": [{"id": "`+rootID+`", "outputs": {"b": 2}}]}`).expect(t, http.StatusAccepted, `"accepted":2`)
	o.ask("w", "PATCH", "/api/v1/runs/"+rootID, `{"end_time": "2026-03-01T12:00:01"}`).expect(t, http.StatusAccepted, "")
	child := `{"id": "` + childID + `", "name": "shout", "run_type": "tool", "start_time": 1772366401000, "session_name": "p", "parent_run_id": "` + rootID + `"}`
	o.ask("w", "POST", "/runs", child).expect(t, http.StatusAccepted, "")
	if r := o.read("w", childID); r.DottedOrder != below {
		t.Errorf("below its parent: %+v", r)
	}
	for path, body := range map[string]string{"/runs": child, "/runs/batch": `{"post": [` + run("") + `]}`} {
		got := o.ask("w", "POST", path, body)
		got.expect(t, http.StatusConflict, "posted before")
		if got.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s: %v", path, got.header)
		}
	}
}

// A request that is sent again, since its answer was lost, is no conflict where
// something in it is new.
func TestSentAgain(t *testing.T) {
	o := open(t)
	first := part{"post." + rootID, "", run("")}
	o.send("w", first).expect(t, http.StatusAccepted, "")
	o.send("w", first).expect(t, http.StatusConflict, "posted before")
	o.send("w", part{"post." + rootID, "", run(`{"name": "other"}`)}, part{"patch." + rootID, "", `{"tags": ["late"]}`}).expect(t, http.StatusAccepted, `"duplicates":1`)
	if r := o.read("w", rootID); r.Name != "talk" || len(r.Tags) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestBadRuns(t *testing.T) {
	good := part{"post." + childID, "", run(`{"id": "` + childID + `", "trace_id": null, "dotted_order": null}`)}
	for name, c := range map[string]struct {
		bad  []part
		says string
	}{
		"no id":                        {[]part{{"post.", "", run("")}}, "must be a UUID"},
		"an id that is none":           {[]part{{"post.11", "", run("")}}, "must be a UUID"},
		"another id":                   {[]part{{"post." + rootID, "", run(`{"id": "` + childID + `"}`)}}, "the id in its JSON is"},
		"another trace":                {[]part{{"post." + rootID, "", run(`{"trace_id": "` + childID + `"}`)}}, "dotted_order says"},
		"a trace that is none":         {[]part{{"post." + rootID, "", run(`{"trace_id": "x"}`)}}, "trace_id"},
		"an order that is none":        {[]part{{"post." + rootID, "", run(`{"dotted_order": "x"}`)}}, "dotted_order"},
		"an unknown name":              {[]part{{"put." + rootID, "", run("")}}, "not understood"},
		"an unknown field":             {[]part{{"post." + rootID + ".nothing", "", "{}"}, {"post." + rootID, "", run("")}}, "no field"},
		"fields without the run":       {[]part{{"post." + rootID + ".inputs", "", "{}"}}, "without a project, a name and a start_time"},
		"no name":                      {[]part{{"post." + rootID, "", run(`{"name": null}`)}}, "without a project, a name and a start_time"},
		"no JSON":                      {[]part{{"post." + rootID, "", run("")}, {"post." + rootID + ".inputs", "", `{"a": `}}, "no JSON"},
		"a run that is no object":      {[]part{{"post." + rootID, "", "[]"}}, "not understood"},
		"a time that is none":          {[]part{{"post." + rootID, "", run(`{"start_time": "yesterday"}`)}}, "start_time"},
		"a number for a name":          {[]part{{"post." + rootID, "", run(`{"name": 5}`)}}, "name"},
		"the run twice":                {[]part{{"post." + rootID, "", run("")}, {"post." + rootID, "", run("")}}, "twice"},
		"an attachment without a name": {[]part{{"attachment." + rootID, "image/png", "x"}}, "attachment.<id>.<name>"},
		"a project of nobody":          {[]part{{"post." + rootID, "", run(`{"session_id": "33333333-3333-4333-8333-333333333333"}`)}}, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			o.send("w", append(c.bad, good)...).expect(t, http.StatusBadRequest, c.says)
			if r := o.read("w", childID); r.Name != "talk" {
				t.Errorf("the good one is %+v", r)
			}
			o.ask("w", "GET", "/runs/"+rootID, "").expect(t, http.StatusNotFound, "")
		})
	}
}

func TestBadRequests(t *testing.T) {
	o := open(t)
	whole, kind := form(part{"post." + rootID, "", run("")}, part{"post." + rootID + ".inputs", "", `{"a": "` + strings.Repeat("x", 2<<20) + `"}`})
	empty, emptyKind := form()
	for name, c := range map[string]struct {
		path, kind, encoding, body string
		status                     int
		says                       string
	}{
		"no parts":           {"/runs/multipart", emptyKind, "", string(empty), 400, "no parts"},
		"no form":            {"/runs/multipart", "application/json", "", "{}", 400, "multipart/form-data"},
		"no boundary":        {"/runs/multipart", "multipart/form-data", "", "x", 400, "boundary"},
		"cut in a value":     {"/runs/multipart", kind, "", string(whole[:1<<20]), 400, "could not be read"},
		"cut in a header":    {"/runs/multipart", kind, "", string(whole[:20]), 400, "could not be read"},
		"nothing":            {"/runs/multipart", kind, "", "", 400, ""},
		"unknown encoding":   {"/runs/multipart", kind, "br", string(whole), 400, "gzip, zstd"},
		"no gzip":            {"/runs/multipart", kind, "gzip", string(whole), 400, "could not be read"},
		"no zstd":            {"/runs/multipart", kind, "zstd", string(whole), 400, "could not be read"},
		"a batch of nothing": {"/runs/batch", "application/json", "", "{}", 400, "no runs"},
		"a batch of words":   {"/runs/batch", "application/json", "", `{"post": ["x"]}`, 400, "not understood"},
		"no JSON":            {"/runs", "application/json", "", "{", 400, "unexpected end"},
		"too much JSON":      {"/runs/batch", "application/json", "", `{"post": ["` + strings.Repeat("x", 33<<20) + `"]}`, 413, "/runs/multipart"},
		"no spans":           {"/otel/v1/traces", "text/plain", "", "", 400, "application/x-protobuf"},
		"bad spans":          {"/otel/v1/traces", "application/x-protobuf", "", "\xff\xff", 400, "no OTLP export"},
	} {
		t.Run(name, func(t *testing.T) {
			r := o.request("w", "POST", c.path, c.kind, strings.NewReader(c.body))
			r.Header.Set("Content-Encoding", c.encoding)
			o.do(r).expect(t, c.status, c.says)
		})
	}
	o.ask("w", "GET", "/runs/"+rootID, "").expect(t, http.StatusNotFound, "")
	if left := blobsOf(t, o); left != 0 {
		t.Errorf("%d values are left behind", left)
	}
}

func blobsOf(t *testing.T, o *office) (n int) {
	t.Helper()
	must(t, filepath.WalkDir(o.folder, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return err
	}))
	return n
}

func TestEncodings(t *testing.T) {
	body, kind := form(part{"post." + rootID, "", run("")})
	for name, encode := range map[string]func(io.Writer) io.WriteCloser{
		"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
	} {
		o := open(t)
		var packed bytes.Buffer
		w := encode(&packed)
		_, err := w.Write(body)
		must(t, err)
		must(t, w.Close())
		for _, want := range []int{http.StatusAccepted, http.StatusConflict} { // decoders are used again
			r := o.request("w", "POST", "/runs/multipart", kind, bytes.NewReader(packed.Bytes()))
			r.Header.Set("Content-Encoding", name)
			if got := o.do(r); got.status != want {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
		}
	}
}

// A value of a hundred megabytes passes through to the disk and back, and small
// values that are as large together are refused.
func TestLargeRuns(t *testing.T) {
	o := open(t)
	const size = 100 << 20
	head, kind := form(part{"post." + rootID, "", run("")}, part{"post." + rootID + ".inputs", "", "HERE"})
	before, after, _ := bytes.Cut(head, []byte("HERE"))
	body := io.MultiReader(bytes.NewReader(before), strings.NewReader(`{"a":"`), io.LimitReader(letters{}, size), strings.NewReader(`"}`), bytes.NewReader(after))
	o.do(o.request("w", "POST", "/runs/multipart", kind, body)).expect(t, http.StatusAccepted, "")
	got, err := http.DefaultClient.Do(o.request("w", "GET", "/runs/"+rootID, "", nil))
	must(t, err)
	defer got.Body.Close()
	if n, err := io.Copy(io.Discard, got.Body); err != nil || n < size {
		t.Errorf("read %d bytes: %v", n, err)
	}
	var many []part
	for i := range 65 {
		many = append(many, part{fmt.Sprintf("patch.%08d-0000-4000-8000-000000000000.inputs", i+1), "", `"` + strings.Repeat("x", 1<<20-100) + `"`})
	}
	o.send("w", many...).expect(t, http.StatusRequestEntityTooLarge, "send them in several")
}

type letters struct{}

var someLetters = strings.Repeat("the agent asked for weather and got an answer ", 100)

func (letters) Read(p []byte) (int, error) { return copy(p, someLetters), nil }

// A large value that is no JSON would spoil the answers that it is in.
func TestLargeBadValue(t *testing.T) {
	o := open(t)
	for name, value := range map[string]string{"no JSON": `{"a": "` + strings.Repeat("x", 2<<20) + `"`, "two": `"` + strings.Repeat("x", 2<<20) + `" 1`} {
		o.send("w", part{"post." + rootID, "", run("")}, part{"post." + rootID + ".inputs", "", value}).expect(t, http.StatusBadRequest, "no JSON")
		if left := blobsOf(t, o); left != 0 {
			t.Errorf("%s: %d values are left behind", name, left)
		}
	}
	o.send("w", part{"post." + rootID, "", run("")}, part{"post." + rootID + ".inputs", "", `{"a": "` + strings.Repeat("x", 2<<20) + "\xff\"}"}).expect(t, http.StatusAccepted, "")
	if r := o.read("w", rootID); !strings.HasSuffix(string(r.Inputs), "x\uFFFD\"}") {
		t.Errorf("ends %q", r.Inputs[len(r.Inputs)-10:])
	}
}

// An error is one however long it is, and is kept as far as there is room.
func TestLongErrors(t *testing.T) {
	long := strings.Repeat("no luck ", 2<<20/8)
	for name, c := range map[string]struct{ sent, begins, ends string }{
		"a text":             {`"` + long + `"`, "no luck", "…"},
		"escapes":            {`"` + strings.Repeat(`\u00e9`, 2<<20/6) + `"`, "ééé", "é…"},
		"escapes, moved":     {`"xx` + strings.Repeat(`\u00e9`, 2<<20/6) + `"`, "xxé", "é…"},
		"quotes":             {`"` + strings.Repeat(`\"`, 2<<20/2) + `"`, `"""`, `"…`},
		"characters":         {`"` + strings.Repeat("é", 2<<20/2) + `"`, "ééé", "…"},
		"no text":            {`{"message": "` + long + `"}`, `{"message": "no`, ""},
		"of one byte over":   {`"` + strings.Repeat("x", 1<<20-1) + `"`, "xxx", "x…"},
		"of as many as fit":  {`"` + strings.Repeat("x", 1<<20-3) + `"`, "xxx", "xxx"},
		"not valid as UTF-8": {`"` + strings.Repeat("\xff", 2<<20) + `"`, "\uFFFD", "\uFFFD…"},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			o.send("w", part{"post." + rootID, "", run(`{"end_time": "2026-03-01T12:00:01Z"}`)}, part{"post." + rootID + ".error", "", c.sent},
				part{"post." + childID, "", run(`{"id": "` + childID + `", "trace_id": null, "dotted_order": null}`)}).expect(t, http.StatusAccepted, `"accepted":2`)
			r := o.read("w", rootID)
			if r.Status != "error" || r.Error == nil || len(*r.Error) > 1<<20 || len(*r.Error) < 100<<10 || !strings.HasPrefix(*r.Error, c.begins) || !strings.HasSuffix(*r.Error, c.ends) {
				text := fmt.Sprint(r.Error)
				if r.Error != nil {
					text = *r.Error
				}
				t.Errorf("%s with an error of %d bytes: %.20q … %q", r.Status, len(text), text, text[max(0, len(text)-20):])
			}
			if left := blobsOf(t, o); left != 0 {
				t.Errorf("%d values lie on the disk", left)
			}
		})
	}
}

func TestInvalidUTF8(t *testing.T) {
	o := open(t)
	o.send("w",
		part{"post." + rootID, "", strings.Replace(run(""), `"talk"`, "\"t\xff\\u0000k\"", 1)},
		part{"post." + rootID + ".inputs", "", "{\"a\": \"\xff\"}"},
		part{"post." + rootID + ".error", "", "\"\\ud800\""},
	).expect(t, http.StatusAccepted, "")
	if r := o.read("w", rootID); r.Name != "t\uFFFD\uFFFDk" || string(r.Inputs) != "{\"a\": \"\uFFFD\"}" || *r.Error != "\uFFFD" {
		t.Errorf("%q %q %q", r.Name, r.Inputs, *r.Error)
	}
}

// A request that has found its project, and whose runs arrive when that is being
// removed, leaves nothing behind, and is not sent again.
func TestTheProjectGoesMeanwhile(t *testing.T) {
	o := open(t)
	o.send("w", part{"post." + rootID, "", run("")}).expect(t, http.StatusAccepted, "")
	project := slipway.ProjectID(o.read("w", rootID).Project) // which the desk still finds
	if left, err := o.runs.DeleteProject(t.Context(), project); left != 0 || err != nil {
		t.Fatal(left, err)
	}
	large := `{"a": "` + strings.Repeat("x", 2<<20) + `"}`
	o.send("w",
		part{"post." + rootID, "", run("")}, part{"post." + rootID + ".inputs", "", large},
		part{"post." + childID, "", run(`{"id": "` + childID + `", "trace_id": null, "dotted_order": null, "session_name": "other"}`)},
	).expect(t, http.StatusBadRequest, "1 of 2 runs are refused, the others are kept. The first: Project ID "+string(project)+" was deleted.")
	o.ask("w", "GET", "/runs/"+rootID, "").expect(t, http.StatusNotFound, "")
	o.read("w", childID)
	if left := blobsOf(t, o); left != 0 {
		t.Errorf("%d values are left behind", left)
	}
}

// A project that is made again under its identity takes runs at once.
func TestTheProjectIsMadeAgain(t *testing.T) {
	const project = "33333333-3333-4333-8333-333333333333"
	o := open(t)
	for range 2 {
		o.ask("w", "POST", "/sessions", `{"id": "`+project+`", "name": "p"}`).expect(t, http.StatusOK, project)
		o.ask("w", "POST", "/runs", run(`{"session_name": null, "session_id": "`+project+`"}`)).expect(t, http.StatusAccepted, "")
		o.ask("w", "DELETE", "/sessions/"+project, "").expect(t, http.StatusAccepted, "")
		if left, err := o.runs.DeleteProject(t.Context(), project); left != 0 || err != nil {
			t.Fatal(left, err)
		}
	}
}

// Clocks are the clients', and parents may never come.
func TestSkewAndOrphans(t *testing.T) {
	o := open(t)
	o.send("w",
		part{"post." + rootID, "", run(`{"start_time": "2031-01-01T00:00:00Z", "end_time": "2030-01-01T00:00:00Z", "dotted_order": "20310101T000000000000Z` + rootID + `"}`)},
		part{"post." + childID, "", run(`{"id": "` + childID + `", "trace_id": "44444444-4444-4444-8444-444444444444", "parent_run_id": "44444444-4444-4444-8444-444444444444", "dotted_order": "20260301T120000000000Z44444444-4444-4444-8444-444444444444.20260301T120001000000Z` + childID + `"}`)},
	).expect(t, http.StatusAccepted, "")
	if r := o.read("w", rootID); r.StartTime != "2031-01-01T00:00:00.000000" || r.Status != "success" {
		t.Errorf("%+v", r)
	}
	if found := o.find("w", `{"session": ["`+o.read("w", childID).Project+`"], "is_root": false}`); len(found) != 1 || found[0].Name != "talk" {
		t.Errorf("orphans: %+v", found)
	}
}

func TestFullDisk(t *testing.T) {
	o := open(t, func(c *langsmith.Config) {
		c.Room = func() error { return slipway.Errorf(slipway.CodeFull, "The disk is almost full.") }
	})
	o.send("w", part{"post." + rootID, "", run("")}).expect(t, http.StatusServiceUnavailable, "almost full")
	o.ask("w", "POST", "/runs/batch", "{}").expect(t, http.StatusServiceUnavailable, "almost full")
	o.ask("w", "GET", "/sessions", "").expect(t, http.StatusOK, "[]")
}

// The disk is full in the middle of a value that found room when it began.
func TestTheDiskFillsUp(t *testing.T) {
	asked := 0
	o := open(t, func(c *langsmith.Config) {
		c.Room = func() error {
			if asked++; asked > 3 {
				return slipway.Errorf(slipway.CodeFull, "The disk is almost full.")
			}
			return nil
		}
	})
	large := `{"a": "` + strings.Repeat("x", 40<<20) + `"}`
	o.send("w", part{"post." + rootID, "", run("")}, part{"post." + rootID + ".inputs", "", large}).expect(t, http.StatusServiceUnavailable, "almost full")
	if left := blobsOf(t, o); left != 0 {
		t.Errorf("%d values are left behind", left)
	}
}

func TestABodyThatStops(t *testing.T) {
	o := open(t, func(c *langsmith.Config) { c.Stalled = time.Millisecond })
	body, kind := form(part{"post." + rootID, "", run("")})
	stuck, stop := io.Pipe()
	defer stop.Close()
	go func() { _, _ = stop.Write(body[:100]) }()
	o.do(o.request("w", "POST", "/runs/multipart", kind, stuck)).expect(t, http.StatusRequestTimeout, "again")
}

// A small request must not fill our memory: neither by what it unpacks to, nor by
// what each of very many runs takes that have no content.
func TestBombs(t *testing.T) {
	const protobuf = "application/x-protobuf"
	again := func(text string) io.Reader {
		return io.LimitReader(repeated(text), int64(8<<20/len(text)*len(text)))
	}
	text := strings.NewReader
	// The lengths of four bytes are those of 8 MiB, about, of empty messages.
	const length = "\x80\x80\x80\x04"
	const inSpans = "\x0a\x8a\x80\x80\x04\x12\x85\x80\x80\x04"
	for name, c := range map[string]struct {
		path, kind string
		body       io.Reader
		says       string
	}{
		"a long text":         {"/runs/batch", "application/json", io.MultiReader(text(`{"post": ["`), io.LimitReader(letters{}, 40<<20)), "/runs/multipart"},
		"many runs":           {"/runs/batch", "application/json", io.MultiReader(text(`{"post":[0`), again(",0"), text("]}")), "in several"},
		"many patches":        {"/runs/batch", "application/json", io.MultiReader(text(`{"patch":[{}`), again(",{}"), text("]}")), "in several"},
		"many spans":          {"/otel/v1/traces", protobuf, io.MultiReader(text("\x0a\x85\x80\x80\x04\x12"+length), again("\x12\x00")), "in several"},
		"many attributes":     {"/otel/v1/traces", protobuf, io.MultiReader(text(inSpans+"\x12"+length), again("\x4a\x00")), "in several"},
		"many spans in JSON":  {"/otel/v1/traces", "application/json", io.MultiReader(text(`{"resourceSpans":[{"scopeSpans":[{"spans":[{}`), again(",{}"), text("]}]}]}")), "in several"},
		"many values in JSON": {"/otel/v1/traces", "application/json", io.MultiReader(text(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"\"{","value":{"arrayValue":{"values":[{}`), again(",{}"), text("]}}}]}]}]}]}")), "in several"},
		"a query":             {"/runs/query", "application/json", io.MultiReader(text(`{"id":[""`), again(`,""`), text("]}")), "at most 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			var packed bytes.Buffer
			z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
			must(t, err)
			_, err = io.Copy(z, c.body)
			must(t, err)
			must(t, z.Close())
			r := o.request("w", "POST", c.path, c.kind, &packed)
			r.Header.Set("Content-Encoding", "gzip")
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			o.do(r).expect(t, http.StatusRequestEntityTooLarge, c.says)
			runtime.ReadMemStats(&after)
			if made := after.TotalAlloc - before.TotalAlloc; made > 300<<20 {
				t.Errorf("it has made %d MiB of memory", made>>20)
			}
		})
	}
	o := open(t)
	many := run(`{"tags": ["` + strings.Repeat(`","`, 5<<20) + `"]}`)
	o.ask("w", "POST", "/runs", many).expect(t, http.StatusAccepted, "")
	if tags := o.read("w", rootID).Tags; len(tags) != 1000 {
		t.Errorf("%d tags are kept", len(tags))
	}
}

// repeated is a text again and again.
type repeated string

func (r repeated) Read(p []byte) (n int, _ error) {
	for n+len(r) <= len(p) {
		n += copy(p[n:], r)
	}
	return n, nil
}
