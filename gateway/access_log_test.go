package gateway_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway"
	"github.com/slipwayhq/slipway/gateway/accesslog"
	"github.com/slipwayhq/slipway/internal/peer"
)

func TestAccessLog(t *testing.T) {
	var out syncBuffer
	log := accesslog.New(&out, slog.New(slog.DiscardHandler))
	w := newWorld(t, gateway.Config{AccessLog: log, Proxies: peer.Proxies{netip.MustParsePrefix("127.0.0.0/8")}})
	w.access.keys["good"] = slipway.Identity{Key: "key-1", Workspaces: []slipway.WorkspaceID{home}, Scopes: slipway.DefaultScopes()}
	w.SetReady()
	agent := agentAt(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(201)
		w.Write([]byte("12345"))
	})
	w.Route(route(agent))
	from := header("X-Forwarded-For", "203.0.113.9, 198.51.100.7")
	w.send("POST", "/d/app/runs?token=hidden", strings.NewReader("hidden"), from,
		header("X-Request-Id", "one"), header("Cookie", "hidden"), header("X-Other", "hidden"))
	w.get("/d/app/x", noKey, header("X-Request-Id", "two"), header("Authorization", "Bearer hidden"))
	w.get("/d/nobody/x\"%0a", header("X-Request-Id", "three"))
	if _, err := w.Probe(t.Context(), route(agent), "/ok"); err != nil {
		t.Error(err)
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	text := out.String()
	if strings.Contains(text, "hidden") || strings.Contains(text, "good") {
		t.Errorf("it tells a secret: %s", text)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines: %s", len(lines), text)
	}
	for i, want := range []map[string]any{
		{
			"request_id": "one", "client": "198.51.100.7:0", "key_id": "key-1", "deployment": string(id), "instance": agent,
			"method": "POST", "path": "/d/app/runs", "status": 201.0, "bytes": 5.0, "held": nil, "cut": nil,
		},
		{"request_id": "two", "key_id": nil, "deployment": nil, "instance": nil, "status": 401.0},
		{"request_id": "three", "deployment": nil, "path": `/d/nobody/x%22%0A`, "status": 400.0},
	} {
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("line %d: %s is %v, want %v", i+1, k, got[k], v)
			}
		}
		if first, all := got["first_byte"].(float64), got["duration"].(float64); first <= 0 || all < first {
			t.Errorf("line %d: %v of %v", i+1, first, all)
		}
	}
}
