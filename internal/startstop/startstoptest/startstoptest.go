// Package startstoptest is the stress test that every long-lived service
// passes: however often and from wherever it is stopped, it is gone afterwards.
package startstoptest

import (
	"context"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// rounds is how often a service is started and stopped.
const rounds = 5

// stoppers is how many stop it at once.
const stoppers = 8

// Start starts one service anew and returns what stops it. Both may be the
// service's own methods.
type Start func(context.Context) (stop func() error, err error)

// Run stresses a service.
func Run(t *testing.T, start Start) {
	t.Helper()
	none := goleak.IgnoreCurrent()
	for name, test := range map[string]func(*testing.T, Start){
		"stop":            once,
		"stop twice":      twice,
		"stop at once":    together,
		"after its start": withoutContext,
		"ended before":    endedBefore,
	} {
		t.Run(name, func(t *testing.T) {
			for range rounds {
				test(t, start)
			}
			goleak.VerifyNone(t, none)
		})
	}
}

func once(t *testing.T, start Start) {
	stop, err := start(t.Context())
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func twice(t *testing.T, start Start) {
	stop, err := start(t.Context())
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	for range 2 {
		if err := stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
}

// together: each stop returns only when the service is gone.
func together(t *testing.T, start Start) {
	stop, err := start(t.Context())
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	var all sync.WaitGroup
	for range stoppers {
		all.Go(func() {
			if err := stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
	all.Wait()
}

// withoutContext: the context of the start is not the service's life.
func withoutContext(t *testing.T, start Start) {
	ctx, cancel := context.WithCancel(t.Context())
	stop, err := start(ctx)
	cancel()
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// endedBefore: a start that comes too late fails and leaves nothing, or its
// service can be stopped.
func endedBefore(t *testing.T, start Start) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stop, err := start(ctx)
	if err == nil {
		err = stop()
		if err != nil {
			t.Errorf("stop: %v", err)
		}
	}
}
