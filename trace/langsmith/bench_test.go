package langsmith_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/langsmith"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/sqlite"
	"github.com/slipwayhq/slipway/trace/tracetest"
)

// A batch of a hundred operations, as SDKs send it, without a network between.
func BenchmarkMultipart(b *testing.B) {
	engine, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "traces"))
	if err != nil {
		b.Fatal(err)
	}
	blobs, err := blob.OpenFolder(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer blobs.Close()
	runs := store.New(engine, blobs, store.Config{})
	defer runs.Close()
	h := langsmith.New(langsmith.Config{Runs: runs, Projects: &desk{}, Keys: &desk{}})
	traffic, begin := tracetest.NewTraffic(1, time.Now()), time.Now().UTC()
	var forms [][]byte

	ops := traffic.Stream(begin, 13*b.N)
	for i := range b.N {

		body, _ := form(partsOf(ops[100*i : 100*i+100])...)
		forms = append(forms, body)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, body := range forms {
		r := httptest.NewRequest("POST", "/runs/multipart", bytes.NewReader(body))
		r.Header.Set("X-Api-Key", "w")
		r.Header.Set("Content-Type", "multipart/form-data; boundary="+string(body[2:bytes.IndexByte(body, '\r')]))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusAccepted {
			b.Fatal(w.Code, w.Body)
		}
	}
}

func partsOf(ops []trace.Op) (parts []part) {
	for _, o := range ops {
		body := map[string]any{"id": o.Run.ID.String(), "trace_id": o.Run.Trace.String(), "dotted_order": o.Run.Order, "session_name": "p"}
		name := "patch." + o.Run.ID.String()
		if o.Kind == trace.Post {
			name = "post." + o.Run.ID.String()
			body["name"], body["run_type"], body["start_time"] = o.Run.Name, o.Run.Type, o.Run.Start
		} else {
			body["end_time"] = o.Run.End
		}
		text, _ := json.Marshal(body)
		parts = append(parts, part{name, "", string(text)})
		for field, c := range map[string]trace.Content{"inputs": o.Run.Inputs, "outputs": o.Run.Outputs, "extra": o.Run.Extra} {
			if c.Inline != nil {
				parts = append(parts, part{name + "." + field, "", string(c.Inline)})
			}
		}
	}
	return parts
}
