// Package gateway takes requests to agents by their public names.
//
// A deployment is reached at /d/<slug>/…, always at /d/<deployment id>/…, and
// with a domain at <slug>.<domain>. What follows the name is passed on byte for
// byte: an encoded slash stays encoded.
//
// # What it promises
//
//   - A switch is atomic. A request that begins after [Gateway.Route] has
//     returned goes to the new address; one that has begun ends where it began.
//   - A request is counted from the moment its address is read, under the same
//     lock, until its last byte: streams and upgraded connections too. So
//     [Gateway.Idle] and [Gateway.Drained] miss nothing.
//   - Of several addresses the least busy is taken, equals by turns; one that
//     refuses connections comes last for two seconds.
//   - A request is sent to an agent once. One of which nothing was sent, because
//     the dial failed or a kept connection was over, is not lost by that: it takes
//     another connection or address. What was sent in part may have been acted
//     on, and is answered 502; but for what [net/http.Transport] does by itself
//     on a kept connection that closes meanwhile: again, if the method is
//     idempotent.
//   - Streams have no deadline. Each event is flushed, a client that leaves
//     is seen by the agent, and an agent that dies in the middle of an answer
//     breaks the client's connection: half an answer never looks whole.
//   - No key of ours and nothing that an agent takes for trusted reaches an
//     agent: see [Gateway.ServeHTTP]. /internal is 404 however it is spelled.
//   - Errors of the gateway are JSON, {"detail": "…"}, and say nothing of other
//     workspaces.
//   - Each request has a name, X-Request-Id, which agent, client and access log
//     see. Counting and logging make none wait.
//
// # What happens to a request
//
//	            unknown ──────────────► 404   (held until SetReady)
//	               │ Route       ▲ Unroute
//	               ▼             │
//	┌─────────► serving ─────────┤   passed on; if it is unreached another
//	│  Route       │             │   address, else a change, else 502
//	│              ▼             │
//	├──────── handing over ──────┤   reads are passed on, to the old address;
//	│              │             │   what writes waits as below
//	│              ▼             │
//	├────────── holding ─────────┤   waits for a change, bounded in number
//	│              │             │   and time, then 503
//	│              ▼             │
//	├────────── asleep ──────────┤   waits likewise, while Config.Wake is called:
//	│              │             │   once for all who wait, again after 10 s
//	│              ▼             │
//	└─────────── down ───────────┘   503 with the reason
//
// What reads and what writes is told by method and path, from the routes of the
// agent servers; what is unknown writes unless it is a GET ([intentOf]). What comes
// by an open WebSocket writes: it waits while the deployment is handed over, and the
// WebSocket ends when the old instance has to. What ends
// runs counts as reading, so that a hand-over does not wait for what it holds.
//
// Every state may follow every other. Routes are a cache: a gateway forgets them
// when it dies, is told all of them again, and SetReady ends that time.
//
// # What the caller must do
//
// Set no write timeout on the server (the gateway clears those of its own
// requests), ask [Gateway.Matches] before any other routing, and do so with the
// request as it came: a mux that cleans paths redirects what it should not.
// Call [Gateway.ForgetKeys] when a key is revoked.
package gateway
