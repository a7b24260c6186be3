package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
)

// fakeMode in the environment makes the test binary a server instead: what the
// demo starts when it starts its own binary.
const fakeMode = "SLIPWAY_TEST_FAKE_SERVER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(fakeMode); mode != "" {
		os.Exit(serveFake(mode, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// serveFake understands: server --data DIR --listen ADDRESS.
func serveFake(mode string, args []string) int {
	data, listen := args[2], args[4]
	if mode == "exit" {
		fmt.Fprintln(os.Stderr, "the data folder is locked")
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", listen)
	if err == nil {
		err = os.WriteFile(filepath.Join(data, keyFile), []byte("fake-key\n"), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fake := &fakeServer{mode: mode, base: "http://" + listen, record: os.Getenv(fakeMode + "_RECORD")}
	go http.Serve(l, fake.handler())
	<-ctx.Done()
	fake.mu.Lock()
	defer fake.mu.Unlock()
	fake.note("SIGTERM")
	return 0
}

// fakeServer is just enough of the API for one deployment. Its mode is how the
// newest revision ends, DEPLOYED unless it is another status.
type fakeServer struct {
	mode, base, record string

	mu         sync.Mutex
	deployment *wire.Deployment
	revisions  []wire.Revision // newest first
	asked      []string        // method, path and body
	tombs      []*fakeTomb
	upload     int
	messages   int
	refuse     map[string]answer // by method and path
}

type answer struct {
	status int
	body   string
}

const (
	fakeID       = "0190aaaa-0000-7000-8000-000000000001"
	fakeRevision = "0190aaaa-0000-7000-8000-0000000000a"
)

func (f *fakeServer) note(what string) {
	f.asked = append(f.asked, what)
	if f.record == "" {
		return
	}
	file, err := os.OpenFile(f.record, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		fmt.Fprintln(file, what)
		file.Close()
	}
}

func (f *fakeServer) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, do := range map[string]func(*http.Request, string) (int, any){
		"GET /readyz":                                             f.ready,
		"GET /v2/deployments":                                     f.list,
		"POST /v2/deployments":                                    f.create,
		"GET /v2/deployments/{id}":                                f.get,
		"PATCH /v2/deployments/{id}":                              f.patch,
		"DELETE /v2/deployments/{id}":                             f.delete,
		"GET /v2/deployments/{id}/deletion-plan":                  f.plan,
		"POST /v2/deployments/{id}/restore":                       f.restore,
		"GET /v1/deleted-deployments":                             f.listDeleted,
		"GET /v1/deletions":                                       f.listDeletions,
		"DELETE /v1/deleted-deployments/{id}":                     f.purge,
		"GET /v1/leftovers":                                       f.listLeftovers,
		"GET /v1/deletions/{id}":                                  f.getDeletion,
		"POST /v2/deployments/{id}/upload-url":                    f.uploadURL,
		"PUT /up":                                                 f.take,
		"GET /v2/deployments/{id}/revisions":                      f.listRevisions,
		"GET /v2/deployments/{id}/revisions/{revision}":           f.getRevision,
		"POST /v2/deployments/{id}/revisions/{revision}/redeploy": f.revise,
		"POST /v2/deployments/{id}/database-password":             f.revise,
		"GET /v2/deployments/{id}/metrics":                        f.metrics,
		"DELETE /v2/deployments/{id}/snapshot-restore":            f.metrics,
		"POST /v1/projects/{id}/deploy_logs":                      f.logs,
		"POST /v1/projects/{id}/revisions/{revision}/build_logs":  f.logs,
		"POST /v1/projects/{id}/revisions/{revision}/deploy_logs": f.logs,
		"GET /api/v1/sessions":                                    f.metrics,
		"POST /api/v1/runs/query":                                 f.metrics,
		"POST /d/echo/threads":                                    f.thread,
		"POST /d/echo/threads/t/runs/stream":                      f.run,
	} {
		mux.HandleFunc(pattern, f.handle(do))
	}
	return mux
}

func (f *fakeServer) handle(do func(*http.Request, string) (int, any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPut {
			f.note(r.Method + " " + r.URL.RequestURI() + " " + string(body))
		}
		status, out := do(r, string(body))
		if refused, ok := f.refuse[r.Method+" "+r.URL.Path]; ok {
			status, out = refused.status, refused.body
		}
		w.WriteHeader(status)
		if text, ok := out.(string); ok {
			_, _ = io.WriteString(w, text)
		} else if out != nil {
			_ = json.NewEncoder(w).Encode(out)
		}
	}
}

func (f *fakeServer) ready(*http.Request, string) (int, any) {
	if f.mode == "never ready" {
		return 503, `{"status":"starting"}`
	}
	return 200, `{"status":"ready"}`
}

// metrics are what a test puts in the place of nothing.
func (f *fakeServer) metrics(*http.Request, string) (int, any) { return 200, wire.DeploymentMetrics{} }

func (f *fakeServer) list(*http.Request, string) (int, any) {
	out := wire.DeploymentsList{Resources: []wire.Deployment{}}
	if f.deployment != nil {
		out.Resources = append(out.Resources, *f.deployment)
	}
	return 200, out
}

func (f *fakeServer) create(_ *http.Request, body string) (int, any) {
	var in wire.DeploymentCreateRequest
	_ = json.Unmarshal([]byte(body), &in)
	f.have(in.Name)
	return 201, f.deployment
}

// have makes the deployment.
func (f *fakeServer) have(name string) {
	at := wire.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	f.deployment = &wire.Deployment{ID: fakeID, Name: name, Status: "READY", Source: "internal_source", CreatedAt: at, UpdatedAt: at}
}

func (f *fakeServer) get(*http.Request, string) (int, any) {
	if f.deployment == nil {
		return 404, `{"detail":"Deployment ID not found."}`
	}
	return 200, f.deployment
}

// patch makes a revision unless it only protects.
func (f *fakeServer) patch(r *http.Request, body string) (int, any) {
	var in wire.DeploymentPatchRequest
	if _ = json.Unmarshal([]byte(body), &in); in.DeletionProtection != nil {
		f.deployment.DeletionProtection = *in.DeletionProtection
		return 200, f.deployment
	}
	return f.revise(r, body)
}

// revise makes a revision that has ended already.
func (f *fakeServer) revise(*http.Request, string) (int, any) {
	id, end := fmt.Sprint(fakeRevision, len(f.revisions)+1), f.mode
	if end == "" || !strings.Contains(end, "_") && end != "SKIPPED" && end != "INTERRUPTED" && end != "BUILDING" {
		end = "DEPLOYED"
	}
	at := f.deployment.CreatedAt
	r := wire.Revision{ID: id, Status: end, Source: "internal_source", CreatedAt: at, UpdatedAt: at}
	for i, s := range []string{"QUEUED", "BUILDING", end} {
		r.StatusHistory = append(r.StatusHistory, wire.StatusChange{Status: s, At: wire.NewTime(at.Add(time.Duration(i) * 1500 * time.Millisecond))})
	}
	if strings.HasSuffix(end, "_FAILED") {
		r.StatusMessage = new("npm install exited 1")
		r.Failure = &wire.RevisionFailure{Phase: "build", Code: "install", Hint: new("look at package.json")}
	}
	f.revisions = append([]wire.Revision{r}, f.revisions...)
	f.deployment.LatestRevisionID, f.deployment.LatestRevisionStatus = &id, &end
	if end == "DEPLOYED" {
		f.deployment.ActiveRevisionID, f.deployment.URL = &id, new(f.base+"/d/echo")
	}
	return 200, f.deployment
}

func (f *fakeServer) uploadURL(*http.Request, string) (int, any) {
	return 200, wire.UploadURL{UploadURL: f.base + "/up", ObjectPath: "uploads/1"}
}

func (f *fakeServer) take(_ *http.Request, body string) (int, any) {
	f.upload = len(body)
	return 200, nil
}

func (f *fakeServer) listRevisions(*http.Request, string) (int, any) {
	return 200, wire.RevisionsList{Resources: append([]wire.Revision{}, f.revisions...)}
}

func (f *fakeServer) getRevision(r *http.Request, _ string) (int, any) {
	for _, rev := range f.revisions {
		if rev.ID == r.PathValue("revision") {
			return 200, rev
		}
	}
	return 404, `{"detail":"Revision not found."}`
}

// logs holds two lines.
func (f *fakeServer) logs(_ *http.Request, body string) (int, any) {
	if strings.Contains(body, `"offset":"2"`) {
		return 200, wire.LogsPage{Logs: []wire.LogLine{}, NextOffset: "2"}
	}
	lines := []wire.LogLine{
		{ID: "i:1", Timestamp: wire.NewTime(time.Unix(1, 0)), Level: "INFO", Message: "added \x1b[32m12\x1b[0m packages"},
		{ID: "i:2", Timestamp: wire.NewTime(time.Unix(2, 0)), Level: "ERROR", Message: "it broke"},
	}
	if strings.Contains(body, `"desc"`) {
		lines[0], lines[1] = lines[1], lines[0]
	}
	return 200, wire.LogsPage{Logs: lines, NextOffset: "2"}
}

func (f *fakeServer) thread(*http.Request, string) (int, any) { return 200, `{"thread_id":"t"}` }

func (f *fakeServer) run(*http.Request, string) (int, any) {
	if f.mode == "silent agent" {
		return 200, "event: metadata\ndata: {}\n\n"
	}
	f.messages += 2
	held := strings.TrimSuffix(strings.Repeat(`{"content":"x"},`, f.messages), ",")
	return 200, fmt.Sprintf("event: metadata\ndata: {\"run_id\":\"r\"}\n\n"+
		"event: updates\ndata: {\"reply\":{\"messages\":[{\"content\":\"echo %d\",\"type\":\"ai\"}]}}\n\n"+
		"event: values\ndata: {\"messages\":[%s]}\n\n", f.messages, held)
}
