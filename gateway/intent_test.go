package gateway

import (
	"strings"
	"testing"
)

// What the servers serve, from their sources: w writes, r reads, e ends runs.
const (
	// @langchain/langgraph-api 1.5.1, dist/api/*.mjs and dist/server.mjs.
	routesJS = `
w POST   /assistants
r POST   /assistants/search
r POST   /assistants/count
r GET    /assistants/1
w DELETE /assistants/1
w PATCH  /assistants/1
r GET    /assistants/1/graph
r GET    /assistants/1/schemas
r GET    /assistants/1/subgraphs
r GET    /assistants/1/subgraphs/name
w POST   /assistants/1/latest
r POST   /assistants/1/versions
r GET    /info
r GET    /ok
w UPGRADE /threads/1/stream/events
w POST   /threads/1/commands
r POST   /threads/1/stream/events
w POST   /runs/crons
r POST   /runs/crons/search
w DELETE /runs/crons/1
w POST   /threads/1/runs/crons
w POST   /runs/stream
r GET    /runs/1/stream
w POST   /runs/wait
w POST   /runs
w POST   /runs/batch
r GET    /threads/1/runs
w POST   /threads/1/runs
w POST   /threads/1/runs/stream
w POST   /threads/1/runs/wait
r GET    /threads/1/runs/2
w DELETE /threads/1/runs/2
r GET    /threads/1/runs/2/join
r GET    /threads/1/runs/2/stream
e POST   /threads/1/runs/2/cancel
r POST   /store/namespaces
r POST   /store/items/search
w PUT    /store/items
w DELETE /store/items
r GET    /store/items
w POST   /threads
r POST   /threads/search
r POST   /threads/count
r GET    /threads/1/state
w POST   /threads/1/state
r GET    /threads/1/state/2
r POST   /threads/1/state/checkpoint
r GET    /threads/1/history
r POST   /threads/1/history
r GET    /threads/1
w DELETE /threads/1
w PATCH  /threads/1
w POST   /threads/1/copy
r POST   /ui/agent
r GET    /ui/agent/entrypoint.js`

	// langgraph-api 0.16.7 of PyPI, langgraph_api/api/*.py, beside those above.
	routesPython = `
r GET    /
r GET    /metrics
r GET    /docs
r GET    /openapi.json
r GET    /profile
w POST   /a2a/1
w POST   /a2a/1/
r GET    /a2a/1
w DELETE /a2a/1
r GET    /a2a/1/.well-known/agent-card.json
r GET    /.well-known/agent-card.json
w POST   /mcp
w POST   /mcp/
r GET    /mcp/
w DELETE /mcp/
e POST   /runs/cancel
r POST   /runs/crons/count
r GET    /runs/crons/1
w PATCH  /runs/crons/1
w POST   /threads/prune
r GET    /threads/1/storage
r GET    /threads/1/stream`

	// aegra-api 0.11.0 of PyPI, aegra_api/api/*.py, beside those above.
	routesAegra = `
r GET    /threads
r GET    /assistants
w PATCH  /threads/1/runs/2
r GET    /health
r GET    /ready
r GET    /live`

	// What no server knows.
	routesOther = `
w POST   /
w POST   /custom
w POST   /custom/search
r GET    /custom
r HEAD   /custom
r OPTIONS /runs
w PUT    /threads/search
w POST   /threads/search/
w POST   //threads/search
w POST   /threads//history
w POST   /thread%73/search
w POST   /api/threads/search
w PROPFIND /threads`
)

func TestIntentOfEveryRoute(t *testing.T) {
	for line := range strings.Lines(routesJS + routesPython + routesAegra + routesOther) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		method, upgrades := f[1], f[1] == "UPGRADE"
		if upgrades {
			method = "GET"
		}
		want := intent(f[0] == "w")
		if got := intentOf(method, f[2], upgrades); got != want {
			t.Errorf("%s %s: writes is %v", f[1], f[2], got)
		}
	}
}
