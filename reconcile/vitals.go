package reconcile

import (
	"slices"
	"strings"

	"github.com/slipwayhq/slipway"
)

// Vitals looks after what serves, and has a deployment woken when one of its
// instances is found sick.
type Vitals interface {
	// Watch replaces the instances of a deployment that are looked after.
	Watch(d slipway.DeploymentID, serving []slipway.Served)
	// Sick says why an attempt of an instance does not do its work, nil if it
	// does as far as is known.
	Sick(d slipway.DeploymentID, i slipway.InstanceID, attempt int) *slipway.Failure
}

// unwatched is for a data plane without vitals.
type unwatched struct{}

func (unwatched) Watch(slipway.DeploymentID, []slipway.Served)                        {}
func (unwatched) Sick(slipway.DeploymentID, slipway.InstanceID, int) *slipway.Failure { return nil }

// served lists what is to be looked after: instances of the active revision that
// get requests, and those that are sick and get none any more. What starts has its
// gate; what hands over its state, sleeps or goes is left alone, as it may not
// answer and be right.
func served(w world) []slipway.Served {
	route, ok := routeFor(w)
	if !ok || w.holds() || w.replaces() || w.asleep() {
		return nil
	}
	route.State, route.Reason = slipway.RouteServing, ""
	var all []slipway.Served
	for _, i := range w.instancesOf(w.Active) {
		if !w.serves(i) {
			continue
		}
		own := route
		own.Addresses = []string{w.seen[i.ID].Address}
		all = append(all, slipway.Served{Instance: i.ID, Attempt: i.Attempt, Route: own, Probe: w.kind(w.Active).Probe})
	}
	slices.SortFunc(all, func(a, b slipway.Served) int { return strings.Compare(string(a.Instance), string(b.Instance)) })
	return all
}
