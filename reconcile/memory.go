package reconcile

import (
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/backoff"
)

// memory is what is known of a deployment here and not in its rows: nothing is
// lost with it but patience. A worker that rests until a certain time leaves it
// to the next one, so that waits grow from one to the other.
type memory struct {
	failures map[string]int                   // in a row, by the key of a step
	later    map[string]time.Time             // when that is tried again
	reasons  map[string]string                // why it failed the last time
	begun    map[string]time.Time             // when a wait began that may be interrupted and goes on
	started  map[slipway.InstanceID]time.Time // when the attempts that run were first seen to
	held     slipway.InstanceID               // for which requests were begun to be held
	clock    stopwatch                        // of that hold
	refused  int                              // ports in a row that strangers held
	redis    endings                          // of the deployment's own Redis
	rebound  bool                             // that was started anew for containers
}

func newMemory() *memory {
	return &memory{
		failures: map[string]int{}, later: map[string]time.Time{}, reasons: map[string]string{},
		begun: map[string]time.Time{}, started: map[slipway.InstanceID]time.Time{},
	}
}

// putOff has a step that failed wait, the longer the more often it did.
func (m *memory) putOff(key string, now time.Time, b backoff.Exponential) time.Duration {
	m.failures[key]++
	wait := b.After(m.failures[key])
	m.later[key] = now.Add(wait)
	return wait
}

// isNews says whether a step failed for another reason than the last time, or for
// the first time.
func (m *memory) isNews(key, reason string) bool {
	was, known := m.reasons[key]
	m.reasons[key] = reason
	return !known || was != reason
}

// done forgets the failures of a step.
func (m *memory) done(key string) {
	delete(m.failures, key)
	delete(m.later, key)
	delete(m.reasons, key)
}

// left is what is left of a limit since the first time it was asked for.
func (m *memory) left(what string, limit time.Duration, now time.Time) time.Duration {
	if _, ok := m.begun[what]; !ok {
		m.begun[what] = now
	}
	return max(0, limit-now.Sub(m.begun[what]))
}

// forget drops what is known of an instance's attempt.
func (m *memory) forget(i slipway.InstanceID) {
	delete(m.started, i)
	delete(m.begun, requestsOf(i))
	delete(m.begun, stopOf(i))
}

func requestsOf(i slipway.InstanceID) string { return "requests of " + string(i) }
func stopOf(i slipway.InstanceID) string     { return "stop of " + string(i) }
