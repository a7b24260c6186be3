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
	r := held(d)
	r.TakesKeys = w.Active.Artefact.TakesKeys
	if w.holds() {
		return w.routeOfHandover(r), true
	}
	if w.replaces() {
		return r, true
	}
	if w.asleep() {
		r.State = slipway.RouteAsleep
		return r, true
	}
	fewest := 0 // crashes in a row, of those that do not serve
	for n, i := range w.instancesOf(w.Active) {
		if w.serves(i) && w.sick[i.ID] == nil { // one that is sick is about to be ended
			r.Addresses = append(r.Addresses, w.seen[i.ID].Address)
		}
		if n == 0 || i.Crashes < fewest {
			fewest = i.Crashes
		}
	}
	switch {
	case len(r.Addresses) > 0:
		r.State = slipway.RouteServing
	case fewest >= crashLoop:
		r.State = slipway.RouteDown
		r.Reason = fmt.Sprintf("The deployment has crashed %d times in a row.", fewest)
	}
	return r, true
}

// routeUnseen has requests wait for a deployment of which not all could be looked
// at, as when a container engine comes up after us. A route that there is stays:
// what it leads to was seen, and need not have ended.
func (r *Reconciler) routeUnseen(w world) {
	if route, ok := routeFor(w); ok && !r.router.Routes(w.Deployment.ID) {
		r.route(route, w.Deployment.Generation)
	}
}

// held is a route at which new requests wait.
func held(d slipway.Deployment) slipway.Route {
	return slipway.Route{
		Deployment: d.ID, Workspace: d.Workspace, Slug: d.Slug, State: slipway.RouteHolding,
		Public: d.Config.Access == slipway.AccessPublic,
	}
}

// Unroute takes the route of a deployment away at once, and keeps it away from
// who knows the deployment only as it was before a generation: a pass that is
// under way must not bring it back.
func (r *Reconciler) Unroute(d slipway.DeploymentID, generation int64) {
	r.routing.Lock()
	defer r.routing.Unlock()
	r.closed[d] = generation
	r.router.Unroute(d)
}

// route sets a route, as who knows a generation of the deployment sees it.
func (r *Reconciler) route(to slipway.Route, generation int64) {
	r.routing.Lock()
	defer r.routing.Unlock()
	if generation < r.closed[to.Deployment] {
		return
	}
	delete(r.closed, to.Deployment)
	r.router.Route(to)
}

func (r *Reconciler) unroute(d slipway.DeploymentID, generation int64) {
	r.routing.Lock()
	defer r.routing.Unlock()
	if generation >= r.closed[d] {
		delete(r.closed, d) // whoever comes later knows as much
	}
	r.router.Unroute(d)
}
