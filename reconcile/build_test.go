package reconcile

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// A build that ends after the worker has looked, and before it waits, is seen by
// another look.
func TestBuildThatEndsBeforeTheWait(t *testing.T) {
	w := newWorker(&Reconciler{config: Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler)}}, slipway.Claim{}, func() {})
	w.memory, w.build = newMemory(), &buildTask{revision: "r", end: make(chan struct{})}
	look := func() *outcome {
		seen, err := w.look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return seen.build
	}
	look()
	close(w.build.end)
	if w.rests(when{}) {
		t.Error("the lease is given back though the build is to be settled")
	}
	if !look().done || !w.rests(when{}) {
		t.Error("a build that has been seen to end is waited for")
	}
}

// logged is a log and what it has sent, as texts.
func logged() (*buildLog, *[]string) {
	var sent []string
	b := newBuildLog(slipway.LogLine{}, func() time.Time { return t0 }, func(lines []slipway.LogLine) error {
		sent = append(sent, texts(lines)...)
		return nil
	})
	return b, &sent
}

func texts(lines []slipway.LogLine) []string {
	var all []string
	for _, l := range lines {
		all = append(all, fmt.Sprintf("%d %s", l.Offset, l.Message))
	}
	return all
}

func TestBuildLogGivesEachLineOnce(t *testing.T) {
	for name, c := range map[string]struct {
		writes      []string // a flush follows each but the last
		sent, taken []string
	}{
		"nothing":         {},
		"whole lines":     {writes: []string{"a\nb\n"}, taken: []string{"2 a", "4 b"}},
		"sent before":     {writes: []string{"a\n", "b\n"}, sent: []string{"2 a"}, taken: []string{"4 b"}},
		"an open end":     {writes: []string{"a\nb"}, taken: []string{"2 a", "4 b"}},
		"a line in parts": {writes: []string{"a", "b\nc", "d\r\n"}, sent: []string{"3 ab"}, taken: []string{"7 cd"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, sent := logged()
			for i, text := range c.writes {
				if i > 0 {
					b.Flush()
				}
				fmt.Fprint(b, text)
			}
			if taken := texts(b.take()); !slices.Equal(taken, c.taken) || !slices.Equal(*sent, c.sent) {
				t.Errorf("taken %q, sent %q", taken, *sent)
			}
			b.Close()
			if len(*sent) != len(c.sent) {
				t.Errorf("sent again: %q", *sent)
			}
		})
	}
}

func TestBuildLogCloseSendsTheRest(t *testing.T) {
	b, sent := logged()
	fmt.Fprint(b, "a\nb")
	b.Close()
	if got := strings.Join(*sent, ", "); got != "2 a, 4 b" {
		t.Errorf("sent %s", got)
	}
}

func TestProbeAgain(t *testing.T) {
	for since, want := range map[time.Duration]time.Duration{
		0: time.Millisecond, 80 * time.Millisecond: 10 * time.Millisecond, time.Minute: 20 * time.Millisecond,
	} {
		if got := probeAgain(since); got != want {
			t.Errorf("after %v: %v", since, got)
		}
	}
}
