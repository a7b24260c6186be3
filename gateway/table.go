package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

// table knows deployments by id and by slug. Requests read it without a lock;
// what a route says lies in its entry, so that a switch touches one entry only.
type table struct {
	ids       sync.Map // id as a string → *entry, gone ones until they are idle
	slugs     sync.Map // string → *entry
	strangers places   // requests for unknown names, held until the table is ready

	mu      sync.Mutex // taken by all who change the table, before that of an entry
	ready   bool
	changed chan struct{}                      // closed at the next change; nil once ready
	gone    map[slipway.DeploymentID]time.Time // since when; they are in ids yet
	leaving []departure                        // in the order of time; of those that came back too
}

// departure is when a deployment went.
type departure struct {
	deployment slipway.DeploymentID
	at         time.Time
}

// keepGone is how long a deployment that is gone is kept, should it come back:
// its counts then go on.
const keepGone = time.Minute

func newTable() *table {
	return &table{changed: make(chan struct{}), gone: map[slipway.DeploymentID]time.Time{}}
}

// find returns the entry of a name, nil if there is none. Ids come first: a slug
// that looks like one can not take its place. An entry that is only just being
// made counts as gone.
func (t *table) find(name string) *entry {
	var key any = name // made once for both
	if e, ok := t.ids.Load(key); ok && !e.(*entry).isGone() {
		return e.(*entry)
	}
	if e, ok := t.slugs.Load(key); ok {
		return e.(*entry)
	}
	return nil
}

// findOrWait is find for a table that may not be complete. A channel is returned
// if it is worth looking again once that is closed.
func (t *table) findOrWait(name string) (*entry, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.find(name); e != nil || t.ready {
		return e, nil
	}
	return nil, t.changed
}

func (t *table) set(r slipway.Route) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, _ := t.ids.LoadOrStore(string(r.Deployment), newEntry())
	e := known.(*entry)
	if old := e.set(r); old != r.Slug {
		t.slugs.CompareAndDelete(old, e)
	}
	if r.Slug != "" {
		t.slugs.Store(r.Slug, e)
	}
	delete(t.gone, r.Deployment)
	t.sweep()
	t.wake()
}

func (t *table) unset(d slipway.DeploymentID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.ids.Load(string(d))
	if !ok {
		return
	}
	e := known.(*entry)
	t.slugs.CompareAndDelete(e.unset(), e)
	if _, before := t.gone[d]; !before {
		t.goes(d)
	}
	t.sweep()
}

// goes writes down that a deployment has gone just now.
func (t *table) goes(d slipway.DeploymentID) {
	now := time.Now()
	t.gone[d] = now
	t.leaving = append(t.leaving, departure{d, now})
}

// sweep drops what has been gone for a while and is idle; what is not is looked at
// again after as long. Of a thousand that go at once it looks at the first alone.
// The caller holds the lock.
func (t *table) sweep() {
	for len(t.leaving) > 0 && time.Since(t.leaving[0].at) >= keepGone {
		d, at := t.leaving[0].deployment, t.leaving[0].at
		t.leaving = t.leaving[1:]
		if !t.gone[d].Equal(at) {
			continue // it came back
		}
		if e, ok := t.ids.Load(string(d)); ok && !e.(*entry).idle() {
			t.goes(d)
			continue
		}
		t.ids.Delete(string(d))
		delete(t.gone, d)
	}
}

func (t *table) setReady() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready = true
	t.wake()
}

// wake lets those who wait for an unknown name look again. The caller holds the
// lock.
func (t *table) wake() {
	if t.changed == nil {
		return
	}
	close(t.changed)
	t.changed = nil
	if !t.ready {
		t.changed = make(chan struct{})
	}
}

// cut ends all tunnels.
func (t *table) cut() {
	t.ids.Range(func(_, known any) bool {
		e := known.(*entry)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.cut(nil)
		return true
	})
}

// await waits until something is true of a deployment's requests. It is of one
// that has none.
func (t *table) await(ctx context.Context, d slipway.DeploymentID, is func(*entry) bool) error {
	known, ok := t.ids.Load(string(d))
	if !ok {
		return nil
	}
	e := known.(*entry)
	for {
		ended := e.nextEnd()
		if is(e) {
			return nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
