package rounds_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway/internal/rounds"
)

// begin runs rounds in the time of synctest.
func begin(t *testing.T) (r *rounds.Rounds, end func()) {
	r = rounds.New()
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		r.Run(ctx)
	}()
	return r, func() { cancel(); <-over }
}

// Each is made when it is due, in whatever order they were added.
func TestEachWhenItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, end := begin(t)
		defer end()
		begun := time.Now()
		made := map[int][]time.Duration{}
		for _, n := range rand.Perm(100) {
			every := time.Duration(n+1) * time.Second
			r.Add(begun.Add(every), func(context.Context) time.Time {
				made[n] = append(made[n], time.Since(begun))
				if len(made[n]) == 3 {
					return time.Time{}
				}
				return time.Now().Add(every)
			}, nil)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		for n := range 100 {
			every := time.Duration(n+1) * time.Second
			if want := []time.Duration{every, 2 * every, 3 * every}; !slices.Equal(made[n], want) {
				t.Fatalf("every %v it was made at %v", every, made[n])
			}
		}
	})
}

// What is due together is made one after another; what takes long keeps the rest
// waiting only for a moment.
func TestOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, end := begin(t)
		defer end()
		now, most, made := 0, 0, 0
		due := time.Now().Add(time.Second)
		for range 50 {
			r.Add(due, func(context.Context) time.Time {
				now++
				most = max(most, now)
				time.Sleep(time.Millisecond)
				now--
				made++
				return time.Time{}
			}, nil)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if made != 50 || most != 1 {
			t.Fatalf("%d made, %d at once", made, most)
		}
		var hangs, late atomic.Int64
		due = time.Now()
		for n := range 50 {
			r.Add(due.Add(time.Duration(n)), func(ctx context.Context) time.Time {
				if n == 49 {
					late.Store(int64(time.Since(due)))
					return time.Time{}
				}
				hangs.Add(1)
				<-ctx.Done()
				return time.Time{}
			}, nil)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if after := time.Duration(late.Load()); hangs.Load() != 49 || after == 0 || after > time.Second {
			t.Errorf("behind %d that hang the last came after %v", hangs.Load(), after)
		}
	})
}

// An end cancels what is being made, takes what waits out, and is told of once.
func TestEnd(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration // the first is due after a second, and takes one
		made  int
	}{"before": {0, 0}, "meanwhile": {1500 * time.Millisecond, 1}, "between": {2500 * time.Millisecond, 1}, "by itself": {time.Minute, 2}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, end := begin(t)
				defer end()
				made, done := 0, 0
				v := r.Add(time.Now().Add(time.Second), func(ctx context.Context) time.Time {
					made++
					select {
					case <-ctx.Done():
					case <-time.After(time.Second):
					}
					if made == 2 {
						return time.Time{}
					}
					return time.Now().Add(time.Second)
				}, func() { done++ })
				other := 0
				r.Add(time.Now().Add(5*time.Second), func(context.Context) time.Time { other++; return time.Time{} }, nil)
				time.Sleep(c.after)
				v.End()
				synctest.Wait()
				v.End()
				if done != 1 {
					t.Errorf("told %d times of the end", done)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				synctest.Wait()
				if made != c.made || done != 1 || other != 1 {
					t.Errorf("made %d times, want %d; told %d times of the end; another was made %d times", made, c.made, done, other)
				}
			})
		})
	}
}

// The end of all cancels what is being made, and waits for it; what was added before
// the begin is made too.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rounds.New()
		began, left := false, false
		r.Add(time.Now(), func(ctx context.Context) time.Time {
			began = true
			<-ctx.Done()
			time.Sleep(time.Second)
			left = true
			return time.Now()
		}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r.Run(ctx)
		if !began || !left {
			t.Errorf("began: %v, waited for: %v", began, left)
		}
	})
}
