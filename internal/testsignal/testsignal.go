// Package testsignal lets tests wait for what they test instead of for time.
package testsignal

import (
	"testing"
	"time"
)

// patience is how long a test waits for what should be there at once, and long
// patience for what other programs do. It only passes when the test fails.
const (
	patience     = 30 * time.Second
	longPatience = 5 * time.Minute
)

// Until waits until a condition holds that sends no signal of its own, and
// fails the test when it never does. It must be called by the test's goroutine.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	until(t, patience, what, holds)
}

// Eventually is Until for what another program does in its own time: an agent
// that loads, an engine that clears away.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	until(t, longPatience, what, holds)
}

// until looks the less often the longer it waits: looking would take the
// processor from what it waits for.
func until(t testing.TB, patience time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for pause := time.Millisecond; !holds(); pause = min(pause*5/4, 30*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-deadline.C:
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}

// Receive waits for a value.
func Receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	select {
	case value := <-from:
		return value
	case <-deadline.C:
		t.Fatalf("waited %v in vain for %s", patience, what)
		panic("unreachable")
	}
}
