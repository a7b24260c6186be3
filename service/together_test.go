package service_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/slipwayhq/slipway"
)

// Many create at once: a name has one taker, who is told so, and the others are
// told that it is taken. Nobody is sent away for the crowd's sake.
func TestCreateTogether(t *testing.T) {
	p := newPlane(t)
	const callers, names = 24, 6
	var g sync.WaitGroup
	var mu sync.Mutex
	made := map[string]int{}
	for i := range callers {
		g.Go(func() {
			for n := range names {
				for _, name := range []string{fmt.Sprintf("shared-%d", n), fmt.Sprintf("own-%d-%d", i, n)} {
					_, err := p.Create(t.Context(), p.who, slipway.NewDeployment{Name: name, Source: slipway.SourceInternalSource})
					if err != nil && slipway.CodeOf(err) != slipway.CodeConflict {
						t.Errorf("%s: %v", name, err)
					}
					if err == nil {
						mu.Lock()
						made[name]++
						mu.Unlock()
					}
				}
			}
		})
	}
	g.Wait()
	for name, n := range made {
		if n != 1 {
			t.Errorf("%s was made %d times", name, n)
		}
	}
	if want := names * (callers + 1); len(made) != want {
		t.Errorf("%d names were taken, want %d", len(made), want)
	}
}
