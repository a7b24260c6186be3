package reconcile

import (
	"testing"

	"github.com/slipwayhq/slipway"
)

// table is a gateway that knows who is routed.
type table struct {
	slipway.Router
	routed map[slipway.DeploymentID]bool
}

func (t table) Route(r slipway.Route)          { t.routed[r.Deployment] = true }
func (t table) Unroute(d slipway.DeploymentID) { delete(t.routed, d) }

// Whoever knows the deployment only as it was before its end does not bring its
// route back; a restore does.
func TestNoPassBringsARouteBack(t *testing.T) {
	gateway := table{routed: map[slipway.DeploymentID]bool{}}
	r := &Reconciler{router: gateway, closed: map[slipway.DeploymentID]int64{}}
	route := slipway.Route{Deployment: "d"}
	r.route(route, 3)
	r.Unroute("d", 4)
	r.route(route, 3)
	r.unroute("d", 3)
	r.route(route, 3)
	if gateway.routed["d"] {
		t.Error("a pass from before the deletion set the route")
	}
	r.route(route, 5)
	if !gateway.routed["d"] {
		t.Error("a restore has no route")
	}
	r.Unroute("d", 6)
	r.unroute("d", 6)
	if len(r.closed) > 0 {
		t.Errorf("what is over is remembered: %v", r.closed)
	}
}
