package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Each command asks for what its arguments say, and shows the answer.
func TestListenersCommands(t *testing.T) {
	const one = `{"id":"l-1","compute_type":"k8s","compute_id":"cluster","compute_config":{"k8s_namespaces":["a","b"]},"version":null,` +
		`"created_at":"2026-01-02T03:04:05.000006Z","updated_at":"2026-01-02T03:04:05.000006Z"}`
	for _, c := range []struct {
		args   []string
		asks   string
		answer string
		status int
		code   int
		says   []string
	}{
		{[]string{"list"}, "GET /v2/listeners?limit=100&offset=0 ", `{"resources":[` + one + `],"offset":1}`, 200, exitOK, []string{"ID", "l-1", "cluster", "a,b", "-", "2026-01-02 03:04:05"}},
		{[]string{"list"}, "GET /v2/listeners?limit=100&offset=0 ", `{"resources":[],"offset":0}`, 200, exitOK, []string{"There is no listener."}},
		{[]string{"list", "--json"}, "GET /v2/listeners?limit=100&offset=0 ", `{"resources":[],"offset":0}`, 200, exitOK, []string{"[]"}},
		{[]string{"create", "cluster", "--namespaces", "a,b"}, `POST /v2/listeners {"compute_config":{"k8s_namespaces":["a","b"]},"compute_id":"cluster","compute_type":"k8s"}`, one, 201, exitOK, []string{"l-1\n"}},
		{[]string{"create", "cluster"}, `POST /v2/listeners {"compute_config":{"k8s_namespaces":null},"compute_id":"cluster","compute_type":"k8s"}`, `{"detail":"it already exists"}`, 409, exitFailed, []string{"it already exists"}},
		{[]string{"delete", "l-1"}, "DELETE /v2/listeners/l-1 ", "", 204, exitOK, []string{"Listener l-1 is removed."}},
		{[]string{"create"}, "", "", 0, exitUsage, []string{"accepts 1 arg"}},
	} {
		var asked string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			asked = r.Method + " " + r.URL.RequestURI() + " " + string(body)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.answer)
		}))
		t.Setenv("SLIPWAY_URL", server.URL)
		t.Setenv("SLIPWAY_API_KEY", "key")
		r := slipwayWith(context.Background(), "", append([]string{"listeners"}, c.args...)...)
		server.Close()
		if r.code != c.code || asked != c.asks {
			t.Errorf("%v: exit code %d, asked %q, want %q", c.args, r.code, asked, c.asks)
		}
		contains(t, c.args[0], r.out+r.errs, c.says...)
	}
}
