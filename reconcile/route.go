package reconcile

import (
	"fmt"

	"github.com/slipwayhq/slipway"
)

// routeFor says where requests go while the world is as it is; false where the
// deployment has no route.
func routeFor(w world) (slipway.Route, bool) {
	d := w.Deployment
	if d.Deleting() || w.Active == nil {
		return slipway.Route{}, false
	}
	r := slipway.Route{Deployment: d.ID, Workspace: d.Workspace, Slug: d.Slug, State: slipway.RouteHolding}
	i, ok := w.instanceOf(w.Active)
	switch {
	case w.holds():
		return w.routeOfHandover(r), true
	case ok && w.serves(i):
		r.State, r.Addresses = slipway.RouteServing, []string{w.seen[i.ID].Address}
	case ok && i.Crashes >= crashLoop:
		r.State = slipway.RouteDown
		r.Reason = fmt.Sprintf("The deployment has crashed %d times in a row.", i.Crashes)
	}
	return r, true
}
