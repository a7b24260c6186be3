package gateway

import (
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipwayhq/slipway"
)

// shunFor is how long an address that could not be dialled is taken last.
const shunFor = 2 * time.Second

// entry is a deployment: its route, and the requests that are in progress. Both
// lie under one lock, so that a request reads its address and is counted there
// in one step.
type entry struct {
	traffic  traffic
	queue    places      // held requests
	troubled atomic.Bool // there are troubles

	mu       sync.Mutex
	route    slipway.Route
	gone     bool
	changed  chan struct{}        // closed at the next change of the route
	busy     map[string]int       // requests in progress by address, none of them 0
	open     int                  // all of them
	writing  int                  // those of them that write
	silent   int                  // those of them that have no head of an answer yet
	heard    map[string]time.Time // when an answer last began, by address
	turn     int                  // whose turn it is among the least busy
	troubles map[string]time.Time // addresses that fail, and until when they are taken last
	tunnels  map[*tunnel]struct{} // those that are open
	wakeAt   time.Time            // when to ask again for the deployment to be woken
	ended    chan struct{}        // closed when a request ends that is waited for or the route changes; nil if nobody waits
}

func newEntry() *entry {
	return &entry{gone: true, changed: make(chan struct{}), busy: map[string]int{}, heard: map[string]time.Time{}}
}

// stay is a request's place at an address.
type stay struct {
	address string
	intent  intent
	keys    slipway.WorkspaceID // whose keys the agent there is shown, "" for none
	asleep  bool                // there is no place before the deployment is woken
	heard   bool                // the head of its answer has come
	changed <-chan struct{}     // closed when the route is another
}

// enter counts a request in at the least busy address that the route names now,
// but for those to avoid, unless so many are open as may be. If there is none for
// it, ok is false and changed says when to ask again.
func (e *entry) enter(t target, avoid []string, most int) (s stay, ok bool, err error) {
	i := t.intent()
	e.mu.Lock()
	defer e.mu.Unlock()
	s = stay{intent: i, changed: e.changed, asleep: e.route.State == slipway.RouteAsleep}
	switch {
	case e.gone:
		return s, false, errUnknown(t.name)
	case e.holds(i):
		return s, false, nil
	case !e.serves():
		return s, false, errDown(e.route.Reason)
	case e.open >= most:
		return s, false, errFull(most)
	}
	if s.address, ok = e.least(avoid); !ok {
		return s, false, nil
	}
	if e.route.TakesKeys {
		s.keys = e.route.Workspace
	}
	e.busy[s.address]++
	e.open++
	e.silent++
	if i == writes {
		e.writing++
	}
	return s, true, nil
}

// holds says whether a request has to wait for another route.
func (e *entry) holds(i intent) bool {
	switch e.route.State {
	case slipway.RouteHolding, slipway.RouteAsleep:
		return true
	case slipway.RouteHandingOver:
		return i == writes || len(e.route.Addresses) == 0
	}
	return false
}

// serves says whether some requests are passed on, and not held.
func (e *entry) serves() bool {
	passes := e.route.State == slipway.RouteServing || e.route.State == slipway.RouteHandingOver
	return passes && !e.gone && len(e.route.Addresses) > 0
}

// least returns the address with the fewest requests in progress, those that
// could not be reached of late after all others, or none if each is to be
// avoided. Equals take turns. The caller holds the lock.
func (e *entry) least(avoid []string) (best string, ok bool) {
	n := len(e.route.Addresses)
	if n == 1 && len(avoid) == 0 {
		return e.route.Addresses[0], true
	}
	e.turn++
	shunned := false
	for i := range n {
		a := e.route.Addresses[(e.turn+i)%n]
		if slices.Contains(avoid, a) {
			continue
		}
		s := e.shuns(a)
		if !ok || shunned && !s || shunned == s && e.busy[a] < e.busy[best] {
			best, shunned, ok = a, s, true
		}
	}
	return best, ok
}

func (e *entry) shuns(address string) bool {
	until := e.troubles[address]
	return !until.IsZero() && time.Now().Before(until)
}

// hear notes that the head of a request's answer has come.
func (e *entry) hear(s *stay) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s.heard = true
	e.heard[s.address] = time.Now()
	e.lessSilent()
}

// lastHeard is when an answer from an address last began, zero for never.
func (e *entry) lastHeard(address string) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard[address]
}

// lessSilent counts one less. The caller holds the lock.
func (e *entry) lessSilent() {
	if e.silent--; e.silent == 0 {
		e.tellEnd()
	}
}

// leave counts a request out.
func (e *entry) leave(s stay) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !s.heard {
		e.lessSilent()
	}
	if s.intent == writes {
		if e.writing--; e.writing == 0 {
			e.tellEnd()
		}
	}
	e.open--
	if e.busy[s.address]--; e.busy[s.address] == 0 {
		delete(e.busy, s.address)
		e.tellEnd()
	}
}

// set returns the slug that the entry had.
func (e *entry) set(r slipway.Route) (old string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old = e.route.Slug
	if reflect.DeepEqual(r, e.route) {
		for a := range e.troubles {
			e.troubles[a] = time.Time{}
		}
	} else {
		e.troubles, e.wakeAt = nil, time.Time{}
		e.troubled.Store(false)
		maps.DeleteFunc(e.heard, func(a string, _ time.Time) bool { return !slices.Contains(r.Addresses, a) })
	}
	if e.route.State == slipway.RouteHandingOver {
		e.cut(r.Addresses)
	}
	e.route, e.gone = r, false
	e.tellChange()
	return old
}

// unset returns the slug that the entry had.
func (e *entry) unset() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gone = true
	e.tellChange()
	return e.route.Slug
}

// tellChange wakes all who wait for another route. One that is set again
// unchanged counts: an instance may have come back at its address.
func (e *entry) tellChange() {
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

// nextEnd returns a channel that is closed when idle, drained or answered may have
// become true. Take it first, then ask.
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
	return e.open == 0
}

// answered says whether each request in progress has the head of its answer.
func (e *entry) answered() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.silent == 0
}

// inProgress returns how many requests are.
func (e *entry) inProgress() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.open
}

// drained says whether no request is in progress but where the deployment is
// served now; while it hands over, whether none there writes, either.
func (e *entry) drained() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for a := range e.busy {
		if !e.serves() || !slices.Contains(e.route.Addresses, a) {
			return false
		}
	}
	return e.route.State != slipway.RouteHandingOver || e.writing == 0
}

// trouble notes that an address fails, and shuns it if it could not be reached.
// It says whether that is news.
func (e *entry) trouble(address string, unreached bool) (news bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone || !slices.Contains(e.route.Addresses, address) {
		return !e.troubled.Swap(true) // of a route that is over
	}
	until, known := e.troubles[address]
	if e.troubles == nil {
		e.troubles = map[string]time.Time{}
	}
	if unreached {
		until = time.Now().Add(shunFor)
	}
	e.troubles[address] = until
	e.troubled.Store(true)
	return !known
}

// recover notes that an address answers, and says whether that is news.
func (e *entry) recover(address string) (news bool) {
	if !e.troubled.Load() {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	_, news = e.troubles[address]
	delete(e.troubles, address)
	e.troubled.Store(len(e.troubles) > 0)
	return news
}

// mayWake says whether it is time to ask for the deployment to be woken, and
// then puts off the next time.
func (e *entry) mayWake(every time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	if e.gone || e.route.State != slipway.RouteAsleep || now.Before(e.wakeAt) {
		return false
	}
	e.wakeAt = now.Add(every)
	return true
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

// owner returns what decides who may ask.
func (e *entry) owner() (w slipway.WorkspaceID, d slipway.DeploymentID, public bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.route.Workspace, e.route.Deployment, e.route.Public && !e.gone
}

func (e *entry) id() slipway.DeploymentID {
	_, d, _ := e.owner()
	return d
}
