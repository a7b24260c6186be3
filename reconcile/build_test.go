package reconcile

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
)

// A build that ends after the worker has looked, and before it waits, is seen by
// another look.
func TestBuildThatEndsBeforeTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(&Reconciler{config: Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler)}}, slipway.Claim{})
		w.build = &buildTask{revision: "r", end: make(chan struct{})}
		if _, err := w.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		close(w.build.end)
		if w.rests(when{}) {
			t.Error("the lease is given back though the build is to be settled")
		}
		w.wait(t.Context(), when{}) // else nothing ever ends it, and the test
		seen, err := w.look(t.Context())
		if err != nil || !seen.build.done {
			t.Errorf("the end is not seen: %+v, %v", seen.build, err)
		}
		if !w.rests(when{}) {
			t.Error("a build that has been seen to end is waited for")
		}
	})
}
