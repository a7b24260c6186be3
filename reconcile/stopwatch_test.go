package reconcile

import (
	"fmt"
	"testing"
	"time"
)

func TestStopwatch(t *testing.T) {
	var s stopwatch
	if s.runs() {
		t.Error("it runs before it is started")
	}
	s.start(t0)
	for n, name := range []string{"runs", "stop", "runs", "start"} { // 1, 2, 3 and 4 s
		s.lap(name, s.last.Add(time.Duration(n+1)*time.Second))
	}
	if got := fmt.Sprint(s.stop()...); got != "runs=4s stop=2s start=4s held=10s" {
		t.Error(got)
	}
	if s.runs() {
		t.Error("it runs on")
	}
}
