package reconcile

import (
	"slices"
	"testing"

	"github.com/slipwayhq/slipway"
)

// ofTwo is a revision of two instances that serve.
func ofTwo() *scene {
	at := func(_ *slipway.Instance, o *slipway.Observed) { o.Address = string(o.Instance) }
	return newScene().active("r1", "shared").scaled(2).
		instance("i1", "r1", slipway.InstanceServing, slipway.PhaseRunning, at).
		instance("i2", "r1", slipway.InstanceServing, slipway.PhaseRunning, at)
}

// Requests do not go to who is sick, from before it is ended: they go to the others
// or wait. It is looked after all the same, so that why it is sick is known until
// it has ended.
func TestWhoIsSickIsLeft(t *testing.T) {
	alone := ofTwo().scaled(1).isSick("i1", "unresponsive")
	alone.Instances = alone.Instances[:1]
	for name, c := range map[string]struct {
		w       *scene
		state   slipway.RouteState
		leadsTo []string
		watched int
	}{
		"none":  {ofTwo(), slipway.RouteServing, []string{"i1", "i2"}, 2},
		"one":   {ofTwo().isSick("i1", "unresponsive"), slipway.RouteServing, []string{"i2"}, 2},
		"alone": {alone, slipway.RouteHolding, nil, 1},
	} {
		route, ok := routeFor(c.w.world)
		if !ok || route.State != c.state || !slices.Equal(route.Addresses, c.leadsTo) {
			t.Errorf("%s: the route is %+v", name, route)
		}
		watched := served(c.w.world)
		if len(watched) != c.watched {
			t.Errorf("%s: watched is %+v", name, watched)
		}
		for _, s := range watched {
			if s.Route.State != slipway.RouteServing || !slices.Equal(s.Route.Addresses, []string{string(s.Instance)}) {
				t.Errorf("%s: it is asked by %+v", name, s.Route)
			}
		}
	}
}
