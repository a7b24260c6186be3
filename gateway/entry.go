package gateway

import (
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/slipwayhq/slipway"
)

// entry is a deployment: its route, and the requests that are in progress. Both
// lie under one lock, so that a request reads its address and is counted there
// in one step.
type entry struct {
	queue    places      // held requests
	troubled atomic.Bool // a failure was logged and nothing has gone well since

	mu      sync.Mutex
	route   slipway.Route
	gone    bool
	changed chan struct{}  // closed at the next change of the route
	busy    map[string]int // requests in progress by address, none of them 0
	ended   chan struct{}  // closed when an address falls idle or the route changes; nil if nobody waits
}

func newEntry() *entry {
	return &entry{gone: true, changed: make(chan struct{}), busy: map[string]int{}}
}

// stay is a request's place at an address.
type stay struct {
	address string
	changed <-chan struct{} // closed when the route is another
}

// enter counts a request in at the address that the route names now. If the
// route holds, ok is false and changed says when to ask again.
func (e *entry) enter(name string) (s stay, ok bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s = stay{e.least(), e.changed}
	switch {
	case e.gone:
		return s, false, errUnknown(name)
	case e.route.State == slipway.RouteHolding, e.route.State == slipway.RouteHandingOver, e.route.State == slipway.RouteAsleep:
		return s, false, nil
	case !e.serves():
		return s, false, errDown(e.route.Reason)
	}
	e.busy[s.address]++
	return s, true, nil
}

func (e *entry) serves() bool {
	return !e.gone && e.route.State == slipway.RouteServing && len(e.route.Addresses) > 0
}

// least returns the address with the fewest requests in progress, "" if there
// is none. The caller holds the lock.
func (e *entry) least() string {
	best := ""
	for _, a := range e.route.Addresses {
		if best == "" || e.busy[a] < e.busy[best] {
			best = a
		}
	}
	return best
}

// leave counts a request out, and says whether it was the last of a deployment
// that is gone.
func (e *entry) leave(address string) (last bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy[address]--; e.busy[address] > 0 {
		return false
	}
	delete(e.busy, address)
	e.tellEnd()
	return e.gone && len(e.busy) == 0
}

// set returns the slug that the entry had.
func (e *entry) set(r slipway.Route) (old string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old = e.route.Slug
	if !reflect.DeepEqual(r, e.route) {
		e.troubled.Store(false)
	}
	e.route, e.gone = r, false
	e.turn()
	return old
}

// unset returns the slug that the entry had.
func (e *entry) unset() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gone = true
	e.turn()
	return e.route.Slug
}

// turn wakes all who wait for another route. One that is set again unchanged
// counts: an instance may have come back at its address.
func (e *entry) turn() {
	close(e.changed)
	e.changed = make(chan struct{})
	e.tellEnd()
}

func (e *entry) tellEnd() {
	if e.ended != nil {
		close(e.ended)
		e.ended = nil
	}
}

// nextEnd returns a channel that is closed when idle or drained may have become
// true. Take it first, then ask.
func (e *entry) nextEnd() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended == nil {
		e.ended = make(chan struct{})
	}
	return e.ended
}

// idle says whether no request is in progress.
func (e *entry) idle() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.busy) == 0
}

// drained says whether no request is in progress but at the address served now.
func (e *entry) drained() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	rest := len(e.busy)
	if e.serves() {
		for _, a := range e.route.Addresses {
			if e.busy[a] > 0 {
				rest--
			}
		}
	}
	return rest == 0
}

func (e *entry) isGone() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.gone
}

// isCalled says whether a slug is that of the deployment; its id is none.
func (e *entry) isCalled(slug string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.gone && e.route.Slug == slug
}

func (e *entry) workspace() slipway.WorkspaceID {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.route.Workspace
}

func (e *entry) id() slipway.DeploymentID {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.route.Deployment
}
