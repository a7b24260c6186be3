package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"testing"

	"github.com/slipwayhq/slipway"
)

// asked is what the last call about listeners was asked.
type asked struct {
	new           slipway.Listener
	change        slipway.ListenerChange
	limit, offset int
}

var someListener = slipway.Listener{ID: someID, Workspace: tenantID, ComputeType: "k8s", ComputeID: "cluster", CreatedAt: at, UpdatedAt: at}

func (c *control) CreateListener(_ context.Context, _ slipway.Principal, l slipway.Listener) (slipway.Listener, error) {
	c.listeners.new = l
	l.ID, l.CreatedAt, l.UpdatedAt = someID, at, at
	return l, c.err
}

func (c *control) GetListener(context.Context, slipway.Principal, slipway.ListenerID) (slipway.Listener, error) {
	return someListener, c.err
}

func (c *control) ListListeners(_ context.Context, _ slipway.Principal, limit, offset int) ([]slipway.Listener, error) {
	c.listeners.limit, c.listeners.offset = limit, offset
	return []slipway.Listener{someListener}, c.err
}

func (c *control) PatchListener(_ context.Context, _ slipway.Principal, _ slipway.ListenerID, ch slipway.ListenerChange) (slipway.Listener, error) {
	c.listeners.change = ch
	return someListener, c.err
}

func (c *control) DeleteListener(context.Context, slipway.Principal, slipway.ListenerID) error {
	return c.err
}

const times = `"created_at":"2026-01-02T03:04:05.000006Z","updated_at":"2026-01-02T03:04:05.000006Z"`

func TestListenersOnTheWire(t *testing.T) {
	c, s := serve(t)
	one, unset := "/v2/listeners/"+someID, `{"compute_config":{"k8s_namespaces":null},"compute_id":"cluster","compute_type":"k8s","id":"`+someID+`","version":null,`+times+`}`
	for name, x := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"get":    {http.MethodGet, one, "", 200, unset},
		"patch":  {http.MethodPatch, one, `{}`, 200, unset},
		"delete": {http.MethodDelete, one, "", 204, ""},
		"list":   {http.MethodGet, "/v2/listeners?limit=7&offset=3", "", 200, `{"offset":4,"resources":[` + unset + `]}`},
		"create": {
			http.MethodPost, "/v2/listeners", `{"version":"","compute_type":"k8s","compute_id":"c","compute_config":{"k8s_namespaces":[]}}`, 201,
			`{"compute_config":{"k8s_namespaces":[]},"compute_id":"c","compute_type":"k8s","id":"` + someID + `","version":"",` + times + `}`,
		},
		"create with less": {
			http.MethodPost, "/api-host/v2/listeners", `{"compute_type":"k8s","compute_id":"c","compute_config":{}}`, 201,
			`{"compute_config":{"k8s_namespaces":null},"compute_id":"c","compute_type":"k8s","id":"` + someID + `","version":null,` + times + `}`,
		},
	} {
		status, _, body := ask(t, s, x.method, x.path, "all", x.body)
		if status != x.status || !sameJSON(t, body, x.want) {
			t.Errorf("%s: %d %s\nwant %d %s", name, status, body, x.status, x.want)
		}
	}
	if c.listeners.limit != 7 || c.listeners.offset != 3 {
		t.Errorf("the page asked for: %+v", c.listeners)
	}
	ask(t, s, http.MethodGet, "/v2/listeners", "all", "")
	if c.listeners.limit != 20 || c.listeners.offset != 0 {
		t.Errorf("the page without parameters: %+v", c.listeners)
	}
}

// Absent and null change nothing; empty does.
func TestListenerChanges(t *testing.T) {
	c, s := serve(t)
	for body, want := range map[string]slipway.ListenerChange{
		`{}`:                                     {},
		`{"version":null,"compute_config":null}`: {},
		`{"compute_config":{}}`:                  {},
		`{"compute_config":{"k8s_namespaces":null}}`: {},
		`{"version":"1"}`:                             {Version: new("1")},
		`{"compute_config":{"k8s_namespaces":[]}}`:    {Namespaces: []string{}},
		`{"compute_config":{"k8s_namespaces":["a"]}}`: {Namespaces: []string{"a"}},
	} {
		if status, _, answer := ask(t, s, http.MethodPatch, "/v2/listeners/"+someID, "all", body); status != http.StatusOK {
			t.Errorf("%s: %d %s", body, status, answer)
		}
		if !reflect.DeepEqual(c.listeners.change, want) {
			t.Errorf("%s asks for %+v, want %+v", body, c.listeners.change, want)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	for text, into := range map[string]*any{a: &x, b: &y} {
		if text != "" && json.Unmarshal([]byte(text), into) != nil {
			return false
		}
	}
	return a == b || reflect.DeepEqual(x, y)
}
