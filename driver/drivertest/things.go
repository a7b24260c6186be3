package drivertest

import (
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
)

// remains asks for what there is, of a deployment and of all: what is told of one
// is told of it among all, and nothing else of it is.
func (p *place) remains(id slipway.DeploymentID) []slipway.Thing {
	p.Helper()
	own, err := p.driver.Remains(p.Context(), id)
	if err != nil {
		p.Fatalf("Remains: %v", err)
	}
	all, err := p.driver.Remains(p.Context(), "")
	if err != nil {
		p.Fatalf("Remains of all: %v", err)
	}
	all = slices.DeleteFunc(all, func(t slipway.Thing) bool { return t.Deployment != id })
	if !slices.Equal(sorted(own), sorted(all)) {
		p.Errorf("of it %v, of it among all %v", sorted(own), sorted(all))
	}
	for _, t := range own {
		if t.Deployment != id || t.Ref == "" || t.What == "" || t.Since.After(time.Now().Add(time.Hour)) {
			p.Errorf("a strange thing: %+v", t)
		}
	}
	return own
}

func sorted(things []slipway.Thing) (whats []string) {
	for _, t := range things {
		whats = append(whats, string(t.Kind)+" "+t.Ref+" "+t.What)
	}
	slices.Sort(whats)
	return whats
}

// count tells how many things of a kind remain of a deployment.
func (p *place) count(id slipway.DeploymentID, kind slipway.ItemKind) int {
	p.Helper()
	things := p.remains(id)
	return len(slices.DeleteFunc(things, func(t slipway.Thing) bool { return t.Kind != kind }))
}

// remainsAreTold goes through the life of a deployment.
func remainsAreTold(p *place) {
	w, neighbour := p.workload(), p.workload()
	w.Stateful, neighbour.Stateful = true, true
	check := p.strangers(w)
	p.serve(neighbour)
	if left := p.remains(w.Deployment); len(left) > 0 {
		p.Errorf("before anything was made: %v", sorted(left))
	}
	p.serve(w)
	if n := p.count(w.Deployment, slipway.ItemInstance); n == 0 {
		p.Error("an instance that runs is not told")
	}
	p.stop(w, 0)
	if n := p.count(w.Deployment, slipway.ItemInstance); n == 0 {
		p.Error("an instance that ended is not told")
	}
	p.try(p.driver.Snapshot(p.Context(), w.Deployment, "one"))
	p.reopen()
	p.try(p.delete(w))
	if n := p.count(w.Deployment, slipway.ItemInstance); n > 0 {
		p.Errorf("after Delete: %v", sorted(p.remains(w.Deployment)))
	}
	if n := p.count(w.Deployment, slipway.ItemState); n == 0 {
		p.Error("its state is not told")
	}
	for range 2 {
		p.try(p.driver.Purge(p.Context(), w.Deployment))
		if left := p.remains(w.Deployment); len(left) > 0 {
			p.Errorf("after Purge: %v", sorted(left))
		}
	}
	if n := p.count(neighbour.Deployment, slipway.ItemInstance); n == 0 {
		p.Error("the neighbour's instance is gone")
	}
	check()
}

// strangers makes things of others that look like those of a workload, and
// returns how to see that they are as they were, and never told.
func (p *place) strangers(w slipway.Workload) (check func()) {
	if p.world.Strangers == nil {
		return func() {}
	}
	intact := p.world.Strangers(p.T, w)
	before, err := p.driver.Remains(p.Context(), "")
	p.try(err)
	if len(before) > 0 {
		p.Errorf("strangers are told: %v", sorted(before))
	}
	return intact
}

// purgeTakesAll is for what neither runs nor is whole.
func purgeTakesAll(p *place) {
	w := p.workload("-exit=1")
	w.Stateful = true
	p.apply(w)
	p.exited(w)
	if n := p.count(w.Deployment, slipway.ItemInstance); n == 0 {
		p.Error("an instance that ended is not told")
	}
	p.try(p.driver.Purge(p.Context(), w.Deployment)) // with its instance
	if left := p.remains(w.Deployment); len(left) > 0 {
		p.Errorf("after Purge: %v", sorted(left))
	}
	if list, err := p.driver.List(p.Context()); len(list) > 0 || err != nil {
		p.Errorf("List = %v, %v", list, err)
	}
}

func remainsOfBadIDs(p *place) {
	for _, id := range []slipway.DeploymentID{"..", "a/b", "*"} {
		if things, err := p.driver.Remains(p.Context(), id); err == nil {
			p.Errorf("of %q: %v", id, things)
		}
	}
}
