package remote_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace/remote"
)

// installation is another one, by what the protocol says that it does.
type installation struct {
	*httptest.Server
	sessions map[string]string // names by ids
	refuses  int               // status of every answer, 0 for none
	keeps    bool              // what is deleted stays
}

func newInstallation(t *testing.T) *installation {
	i := &installation{sessions: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/sessions", i.create)
	mux.HandleFunc("/api/v1/sessions/{id}", i.one)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case i.refuses != 0:
			http.Error(w, "not now", i.refuses)
		case r.Header.Get("X-Api-Key") != "k":
			http.Error(w, "who are you", http.StatusUnauthorized)
		default:
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *installation) create(w http.ResponseWriter, r *http.Request) {
	var s struct{ ID, Name string }
	if json.NewDecoder(r.Body).Decode(&s) != nil || r.URL.Query().Get("upsert") != "true" {
		http.Error(w, "bad", http.StatusUnprocessableEntity)
		return
	}
	for id, name := range i.sessions {
		if name == s.Name {
			s.ID = id
		}
	}
	i.sessions[s.ID] = s.Name
	_ = json.NewEncoder(w).Encode(map[string]string{"id": s.ID, "name": s.Name})
}

func (i *installation) one(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	name, there := i.sessions[id]
	switch {
	case !there:
		http.NotFound(w, r)
		return
	case r.Method == http.MethodDelete && !i.keeps:
		delete(i.sessions, id)
	case r.Method == http.MethodPatch:
		var s struct{ Name string }
		_ = json.NewDecoder(r.Body).Decode(&s)
		name, i.sessions[id] = s.Name, s.Name
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"id": id, "name": name})
}

func (i *installation) projects() *remote.Projects {
	return remote.Open(i.URL+"/api/v1", "k", slog.New(slog.DiscardHandler))
}

func TestProjectsElsewhere(t *testing.T) {
	i := newInstallation(t)
	p := i.projects()
	app := slipway.TracingProject{ID: "a", Name: "app"}
	for range 2 {
		if err := p.Make(t.Context(), app); err != nil || i.sessions["a"] != "app" {
			t.Fatalf("made: %v, %v", i.sessions, err)
		}
	}
	app.Name = "renamed"
	if err := p.Make(t.Context(), app); err != nil || i.sessions["a"] != "renamed" || len(i.sessions) != 1 {
		t.Errorf("renamed: %v, %v", i.sessions, err)
	}
	for range 2 {
		if left, err := p.DeleteProject(t.Context(), "a"); err != nil || left != 0 || len(i.sessions) != 0 {
			t.Errorf("deleted: %v, %d, %v", i.sessions, left, err)
		}
	}
}

// What was there before is not ours.
func TestAProjectThatWasThereBefore(t *testing.T) {
	i := newInstallation(t)
	i.sessions["theirs"] = "app"
	p := i.projects()
	if err := p.Make(t.Context(), slipway.TracingProject{ID: "ours", Name: "app"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.DeleteProject(t.Context(), "ours"); err != nil || i.sessions["theirs"] != "app" {
		t.Errorf("%v, %v", i.sessions, err)
	}
}

func TestWhatFailsElsewhereIsSaid(t *testing.T) {
	i := newInstallation(t)
	app := slipway.TracingProject{ID: "a", Name: "app"}
	wrong := remote.Open(i.URL+"/api/v1", "wrong", slog.New(slog.DiscardHandler))
	lost := remote.Open(i.URL+"/elsewhere", "k", slog.New(slog.DiscardHandler))
	for name, c := range map[string]struct {
		p       *remote.Projects
		refuses int
		text    string
	}{
		"a wrong key":  {wrong, 0, "401 Unauthorized: who are you"},
		"a wrong path": {lost, 0, "has no tracing projects"},
		"trouble":      {i.projects(), 503, "503 Service Unavailable: not now"},
	} {
		i.refuses = c.refuses
		if err := c.p.Make(t.Context(), app); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	i.refuses = 503
	if _, err := i.projects().DeleteProject(t.Context(), "a"); err == nil {
		t.Error("it was deleted in trouble")
	}
	i.refuses, i.keeps, i.sessions["a"] = 0, true, "app"
	if _, err := i.projects().DeleteProject(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "is there still") {
		t.Errorf("what stays: %v", err)
	}
	i.Close()
	if err := i.projects().Make(t.Context(), app); err == nil {
		t.Error("it was made nowhere")
	}
}

// The key goes to the endpoint and nowhere else.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s with the key %q", r.Method, r.URL, r.Header.Get("X-Api-Key"))
	}))
	defer elsewhere.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		moved := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		p := remote.Open(moved.URL+"/api/v1", "k", slog.New(slog.DiscardHandler))
		if err := p.Make(t.Context(), slipway.TracingProject{ID: "a", Name: "app"}); err == nil || !strings.Contains(err.Error(), elsewhere.URL) {
			t.Errorf("%d: made, %v", status, err)
		}
		if _, err := p.DeleteProject(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), elsewhere.URL) {
			t.Errorf("%d: deleted, %v", status, err)
		}
		moved.Close()
	}
}

func TestEndpoints(t *testing.T) {
	for endpoint, ok := range map[string]bool{
		"https://x/api/v1": true, "http://127.0.0.1:8124": true,
		"": false, "x": false, "ftp://x": false, "https://": false, "https://k@x": false, "https://x?a": false, "https://x#a": false, "https://x y": false,
	} {
		if err := remote.CheckEndpoint(endpoint); (err == nil) != ok {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}
