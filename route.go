package slipway

import "context"

// Route says where requests for a deployment go. It is a cache of the rows: a
// gateway that starts anew is told all routes again.
type Route struct {
	Deployment DeploymentID
	Workspace  WorkspaceID
	Slug       string // the public name
	State      RouteState
	Addresses  []string // of each instance that serves, as [Observed] has it; of the old one while it hands over
	Public     bool     // no key is needed
	TakesKeys  bool     // the agent is shown the key that a request came with
	Reason     string   // for the caller, when down
}

// RouteState is what happens to a request.
type RouteState string

const (
	// RouteServing passes requests on.
	RouteServing RouteState = "serving"
	// RouteHolding lets new requests wait, bounded in number and time; those
	// that have begun go on.
	RouteHolding RouteState = "holding"
	// RouteHandingOver passes on what neither writes nor makes a run, and what
	// ends runs, and lets the rest wait as RouteHolding does.
	RouteHandingOver RouteState = "handing over"
	// RouteAsleep asks for the deployment to be woken and lets requests wait
	// meanwhile.
	RouteAsleep RouteState = "asleep"
	// RouteDown answers 503 with the reason.
	RouteDown RouteState = "down"
)

// Router is the gateway as a reconciler uses it.
type Router interface {
	// Route sets or replaces the route of a deployment.
	Route(Route)
	// Unroute forgets a deployment: its names are 404 from then on, held
	// requests are answered so too.
	Unroute(DeploymentID)
	// Routes says whether there is a route of a deployment.
	Routes(DeploymentID) bool
	// Drained waits until no request is in progress at an address that the
	// deployment is no longer served at, and, while it hands over, none that
	// writes or makes a run anywhere; or until ctx ends.
	Drained(ctx context.Context, d DeploymentID) error
	// Answered waits until each request in progress has the head of its answer:
	// what is left are streams and what is being sent. Or until ctx ends.
	Answered(ctx context.Context, d DeploymentID) error
	// Traffic counts what came for a deployment.
	Traffic(DeploymentID) Traffic
	// Probe asks an instance for a path through the public chain, as an
	// internal principal, whatever the route's state. It returns the HTTP
	// status, or an error if no answer came.
	Probe(ctx context.Context, r Route, path string) (int, error)
}
