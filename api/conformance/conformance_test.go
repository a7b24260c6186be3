package conformance_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/api/conformance"
)

const key = "a-key-of-the-test"

func target(t *testing.T, handler http.HandlerFunc) conformance.Target {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return conformance.Target{URL: server.URL, Key: key, OtherKey: "another-key", OrgKey: "an-organisation-key", App: []byte("app")}
}

// No case is content with whatever it is told.
func TestEveryCaseCanFail(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"an empty object":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) },
		"nothing at all":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"always a failure": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusInternalServerError) },
		"always elsewhere": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) },
		"a page":           func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>welcome</html>") },
		"the line is cut": func(w http.ResponseWriter, _ *http.Request) {
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			report := conformance.Run(t.Context(), target(t, handler), conformance.Options{Extensions: true, Patience: time.Millisecond})
			for _, r := range report.Results {
				if r.Outcome == conformance.Passed {
					t.Errorf("%s/%s passes", r.Group, r.Name)
				}
				if r.Outcome == conformance.Failed && (len(r.Mismatches) == 0 || r.Mismatches[0].Want == "") {
					t.Errorf("%s/%s fails without saying why", r.Group, r.Name)
				}
			}
			if report.OK() || len(report.Results) != len(conformance.Cases()) {
				t.Errorf("%d results of %d cases, OK: %t", len(report.Results), len(conformance.Cases()), report.OK())
			}
		})
	}
}

func TestCasesAreToldApart(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range conformance.Cases() {
		if seen[c.String()] {
			t.Errorf("%s occurs twice", c)
		}
		seen[c.String()] = true
		if !regexp.MustCompile(`^(§[1-7]|ext)$`).MatchString(c.Section) {
			t.Errorf("%s: section %q", c, c.Section)
		}
	}
}

func TestWhatIsLackingIsSaid(t *testing.T) {
	broken := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }
	bare := target(t, broken)
	bare.OtherKey, bare.OrgKey, bare.App = "", "", nil
	only := regexp.MustCompile("^(auth/an organisation|auth/another|rollout/|slipway/)")
	report := conformance.Run(t.Context(), bare, conformance.Options{Only: only})
	if len(report.Results) == 0 {
		t.Fatal("no results")
	}
	for _, r := range report.Results {
		if r.Outcome != conformance.NotRun || r.Reason == "" {
			t.Errorf("%s/%s: %s %q", r.Group, r.Name, r.Outcome, r.Reason)
		}
	}
}

func TestChoicesCanBeLeftOut(t *testing.T) {
	report := conformance.Run(t.Context(), target(t, http.NotFound), conformance.Options{FactsOnly: true, Quick: true, Patience: time.Millisecond})
	if slices.ContainsFunc(report.Results, func(r conformance.Result) bool { return r.Grade == conformance.Choice }) {
		t.Error("a choice was run")
	}
}

// shelf is a server that keeps deployments by id, and nothing else.
type shelf struct {
	mu    sync.Mutex
	kept  []string
	lose  bool // the answers that say what was made
	asked func()
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked != nil {
		s.asked()
	}
	id := strings.TrimPrefix(r.URL.Path, "/v2/deployments/")
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/v2/deployments":
		body, _ := io.ReadAll(r.Body)
		found := regexp.MustCompile(`"name":"([a-z0-9_-]+)"`).FindStringSubmatch(string(body))
		if found == nil {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		name := found[1]
		s.kept = append(s.kept, name)
		if s.lose {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"`+name+`"}`)
	case r.Method == http.MethodDelete && slices.Contains(s.kept, id):
		s.kept = slices.DeleteFunc(s.kept, func(k string) bool { return k == id })
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet && slices.Contains(s.kept, id):
		_, _ = io.WriteString(w, `{"id":"`+id+`","status":"READY"}`)
	case r.Method == http.MethodGet && r.URL.Path == "/v2/deployments":
		var all []string
		for _, k := range s.kept {
			if strings.Contains(k, r.URL.Query().Get("name_contains")) {
				all = append(all, `{"id":"`+k+`","name":"`+k+`"}`)
			}
		}
		_, _ = io.WriteString(w, `{"resources":[`+strings.Join(all, ",")+`],"offset":0}`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func TestWhatWasMadeIsDeleted(t *testing.T) {
	for name, lose := range map[string]bool{"as the server said": false, "though the answers were lost": true} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{lose: lose, kept: []string{"somebody-elses"}}
			report := conformance.Run(t.Context(), target(t, s.ServeHTTP), conformance.Options{Patience: time.Millisecond})
			if !slices.Equal(s.kept, []string{"somebody-elses"}) || len(report.Left) > 0 {
				t.Errorf("left %v, said %v", s.kept, report.Left)
			}
		})
	}
}

func TestInterruptedRunsCleanUp(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := &shelf{}
	s.asked = func() {
		if len(s.kept) > 0 {
			stop()
		}
	}
	report := conformance.Run(ctx, target(t, s.ServeHTTP), conformance.Options{Patience: time.Millisecond})
	if len(s.kept) > 0 || len(report.Left) > 0 {
		t.Errorf("left %v, said %v", s.kept, report.Left)
	}
	last := report.Results[len(report.Results)-1]
	if len(report.Results) != len(conformance.Cases()) || last.Outcome != conformance.NotRun || last.Reason == "" {
		t.Errorf("%d results; the last one: %+v", len(report.Results), last)
	}
}

func TestKeysAreNotShown(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"key":"`+r.Header.Get("X-Api-Key")+r.Header.Get("Authorization")+`","url":"https://x/?X-Goog-Signature=abcdef&a=1"}`)
	}
	report := conformance.Run(t.Context(), target(t, echo), conformance.Options{Patience: time.Millisecond})
	for _, r := range report.Results {
		for _, m := range r.Mismatches {
			if strings.Contains(m.Seen, key) || strings.Contains(m.Seen, "abcdef") {
				t.Fatalf("%s/%s shows %s", r.Group, r.Name, m.Seen)
			}
		}
	}
}
