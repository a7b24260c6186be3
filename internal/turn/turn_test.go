package turn_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway/internal/turn"
)

func take(t *testing.T, from func(context.Context) (*turn.Turn, error)) *turn.Turn {
	t.Helper()
	got, err := from(t.Context())
	if err != nil || !got.Held() {
		t.Fatalf("no turn: %v", err)
	}
	return got
}

// Who has a place keeps others waiting until it is given back.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := turn.Of(1, turn.Limit)
		first := take(t, turns.Take)
		for _, wait := range []func(context.Context) (*turn.Turn, error){turns.Take, turns.TakeFirst} {
			impatient, cancel := context.WithTimeout(t.Context(), turn.Limit/4)
			defer cancel()
			if _, err := wait(impatient); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("two at once: %v", err)
			}
		}
		first.Give()
		if first.Held() {
			t.Error("what was given back is held")
		}
		begun := time.Now()
		second := take(t, turns.Take)
		first.Give() // it has none any more
		if !second.Held() || time.Since(begun) > 0 {
			t.Errorf("the second came after %v", time.Since(begun))
		}
		for range 2 {
			second.Give()
		}
		take(t, turns.Take).Give()
		(*turn.Turn)(nil).Give()
	})
}

// Who waits for something else does not have the others wait.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := turn.Of(1, turn.Limit)
		first := take(t, turns.Take)
		begun := time.Now()
		second := take(t, turns.Take)
		if first.Held() || time.Since(begun) != turn.Limit {
			t.Errorf("the second came after %v", time.Since(begun))
		}
		first.Give()
		if !second.Held() {
			t.Error("a turn was given back that another has")
		}
	})
}

// Who is waited for comes before the line, however long that is.
func TestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := turn.Of(1, turn.Limit)
		now := take(t, turns.Take)
		came := make(chan string, 10)
		wait := func(who string, from func(context.Context) (*turn.Turn, error)) {
			go func() {
				got, err := from(t.Context())
				if err != nil {
					t.Error(err)
				}
				came <- who
				got.Give()
			}()
			synctest.Wait()
		}
		for range 5 {
			wait("line", turns.Take)
		}
		wait("first", turns.TakeFirst)
		now.Give()
		if a, b := <-came, <-came; a != "line" || b != "first" {
			t.Errorf("the next were %s and %s: but for one that was next already, the first comes first", a, b)
		}
		for range 4 {
			<-came
		}
	})
}
