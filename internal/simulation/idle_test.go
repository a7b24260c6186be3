package simulation

import (
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// What has nothing to do is gone, back and purged within ten seconds each, by the
// waits that this server makes: a step may be late by a look, never by a minute.
func TestAnIdleDeploymentGoesAtOnce(t *testing.T) {
	for name, before := range map[string]func(*world, *app){
		"plain": pushed(good), "of state": pushed(state), "with a database": pushed(based),
		"several": replicated(good, 3), "asleep": sleeping(good), "an image": pushed(state + " as=image"),
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				a := w.create("app")
				before(w, a)
				w.settle()
				is := func(want slipway.DeletionState) func() bool {
					return func() bool {
						s, _ := w.control.current()
						r, err := s.DeletionReceipt(w.t.Context(), w.who, a.id)
						return err == nil && r.State == want
					}
				}
				w.putAside(a)
				w.within(10*time.Second, "to be gone", is(slipway.DeletionKept))
				w.restore(a)
				w.within(10*time.Second, "to serve again", w.isServing(a))
				w.settle()
				w.putAside(a)
				w.within(10*time.Second, "to be gone again", is(slipway.DeletionKept))
				w.delete(a)
				w.within(10*time.Second, "to be purged", is(slipway.DeletionDone))
				w.settle()
				w.clear()
			})
		})
	}
}
