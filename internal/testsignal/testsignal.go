// Package testsignal lets tests wait for what they test instead of for time.
package testsignal

import (
	"testing"
	"time"
)

// patience is how long a test waits for what should be there at once. It only
// passes when the test fails.
const patience = 30 * time.Second

// Until waits until a condition holds that sends no signal of its own, and
// fails the test when it never does. It must be called by the test's goroutine.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
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
