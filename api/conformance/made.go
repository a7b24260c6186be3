package conformance

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// thing is an object on the server that must be deleted again.
type thing struct {
	path string // to DELETE it by, and to GET it
	key  string
}

// collections are those whose POST makes something that is deleted by its id.
// A deployment goes before the listener that it is placed on, a key before its
// workspace.
var collections = []string{"/v2/deployments", "/v2/listeners", "/v1/api-keys", "/v1/workspaces"}

// forGood keeps a server that can restore what is deleted from doing so. Others
// ignore what they do not know (§1).
var forGood = map[string]string{"/v2/deployments": "?now=true"}

// remember notes what an answer says was made.
func (t *T) remember(r request, a *answer) {
	path, _, _ := strings.Cut(r.path, "?")
	path = strings.TrimPrefix(path, "/api-host")
	if r.method != http.MethodPost || a.status >= 300 || !slices.Contains(collections, path) {
		return
	}
	if id, ok := a.value("id").(string); ok {
		t.made = append(t.made, thing{path + "/" + url.PathEscape(id), r.header.Get("X-Api-Key")})
	}
}

// deleteMade asks for things to be deleted; whether they are gone is looked at
// when the run ends.
func (s *session) deleteMade(ctx context.Context, made []thing) {
	for _, collection := range collections {
		for _, m := range made {
			if strings.HasPrefix(m.path, collection+"/") {
				_, _ = s.ask(ctx, http.MethodDelete, m.path+forGood[collection], m.key)
			}
		}
	}
	s.shared = append(s.shared, made...)
}

func (s *session) ask(ctx context.Context, method, path, key string) (*answer, error) {
	r := request{method: method, path: path, header: http.Header{}}
	as(key)(&r)
	return s.send(ctx, r)
}

// clean deletes what this run made, finds by name what it does not know of
// because an answer was lost, and says what is left.
func (s *session) clean(ctx context.Context) []string {
	for _, key := range []string{s.target.Key, s.target.OtherKey} {
		if key != "" {
			s.shared = append(s.shared, s.find(ctx, key)...)
		}
	}
	made := s.shared
	s.deleteMade(ctx, made)
	var left []string
	for _, m := range made {
		if why := s.awaitGone(ctx, m); why != "" && !slices.Contains(left, why) {
			left = append(left, why)
		}
	}
	return left
}

// find looks for what bears a name of this run.
func (s *session) find(ctx context.Context, key string) []thing {
	var found []thing
	for _, l := range []struct{ path, query, name string }{
		{"/v2/deployments", "?limit=100&name_contains=" + url.QueryEscape(s.prefix), "name"},
		{"/v2/listeners", "?limit=100", "compute_id"},
		{"/v1/api-keys", "?limit=100", "name"},
		{"/v1/workspaces", "?limit=100", "name"},
	} {
		a, err := s.ask(ctx, http.MethodGet, l.path+l.query, key)
		if err != nil || a.status != http.StatusOK {
			continue
		}
		resources, _ := a.value("resources").([]any)
		for _, r := range resources {
			id, _ := lookup(r, "id")
			if name, _ := lookup(r, l.name); strings.Contains(fmt.Sprint(name), s.prefix) {
				found = append(found, thing{l.path + "/" + url.PathEscape(fmt.Sprint(id)), key})
			}
		}
	}
	return found
}

// awaitGone waits until a deployment is gone, and says why it is not. The other
// things are gone when their deletion has been answered.
func (s *session) awaitGone(ctx context.Context, m thing) string {
	if !strings.HasPrefix(m.path, "/v2/") {
		return ""
	}
	for {
		a, err := s.ask(ctx, http.MethodGet, m.path, m.key)
		switch {
		case err != nil:
			return m.path + ": " + err.Error()
		case a.status == http.StatusNotFound, a.status == http.StatusUnauthorized:
			return ""
		case a.status != http.StatusOK:
			return m.path + ": " + a.String()
		}
		select {
		case <-ctx.Done():
			return fmt.Sprintf("%s: still there, status %v", m.path, a.value("status"))
		case <-time.After(between):
		}
	}
}
