package keylock_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/slipwayhq/slipway/build/internal/keylock"
)

func TestOneHolderAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var locks keylock.Locks
		var all sync.WaitGroup
		count := map[string]int{}
		for range 50 {
			for _, key := range []string{"a", "b"} {
				all.Go(func() {
					unlock, err := locks.Lock(t.Context(), key, nil)
					if err != nil {
						t.Error(err)
						return
					}
					defer unlock()
					if key == "a" { // the race detector is the judge
						count["a"]++
					}
				})
			}
		}
		all.Wait()
		if count["a"] != 50 {
			t.Errorf("counted %d", count["a"])
		}
	})
}

func TestLockTellsThatItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var locks keylock.Locks
		waited := false
		unlock, _ := locks.Lock(t.Context(), "a", func() { t.Error("waited for nobody") })
		go func() {
			second, _ := locks.Lock(t.Context(), "a", func() { waited = true })
			second()
		}()
		synctest.Wait()
		if !waited {
			t.Error("did not tell")
		}
		unlock()
		synctest.Wait()
		third, err := locks.Lock(t.Context(), "a", func() { t.Error("still held") })
		if err != nil {
			t.Fatal(err)
		}
		third()
	})
}

func TestLockGivesUp(t *testing.T) {
	var locks keylock.Locks
	unlock, _ := locks.Lock(t.Context(), "a", nil)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := locks.Lock(ctx, "a", cancel)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	unlock()
	if again, err := locks.Lock(t.Context(), "a", func() { t.Error("lock was lost") }); err == nil {
		again()
	}
}
