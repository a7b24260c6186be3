package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var s samples
	for i := range 100 {
		s = append(s, time.Duration(100-i))
	}
	for p, want := range map[int]time.Duration{0: 1, 50: 50, 99: 99, 100: 100} {
		if got := s.percentile(p); got != want {
			t.Errorf("p%d is %d, want %d", p, got, want)
		}
	}
	if got := (samples{}).percentile(50); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
}

func TestRatiosOfBursts(t *testing.T) {
	of := func(counts ...int) (all bursts) {
		for _, n := range counts {
			all = append(all, burst{took: time.Second, times: make(samples, n)})
		}
		return all
	}
	if got := of(10, 30, 20).over(of(10, 10, 40)); !slices.Equal(got, numbers{1, 3, 0.5}) || got.median() != 1 || got.max() != 3 {
		t.Errorf("ratios are %v", got)
	}
	if got := (numbers{4, 1}).median(); got != 2.5 {
		t.Errorf("the median of two is %v", got)
	}
}

func TestIDOf(t *testing.T) {
	if id, err := idOf([]byte(`{"name":"x","id":"abc","y":1}`)); id != "abc" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
	if _, err := idOf([]byte(`{}`)); err == nil {
		t.Error("found one in nothing")
	}
}

// Each piece of work is done once, and what fails is told.
func TestLoad(t *testing.T) {
	s := &server{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}}
	var mu sync.Mutex
	var done []int
	b, err := load(t.Context(), s, 100, 0, func(n int) error {
		mu.Lock()
		defer mu.Unlock()
		done = append(done, n)
		return nil
	})
	slices.Sort(done)
	if err != nil || len(b.times) != 100 || len(slices.Compact(done)) != 100 {
		t.Errorf("%d done, %d timed, %v", len(done), len(b.times), err)
	}
	broken := errors.New("broken")
	if _, err := load(t.Context(), s, 0, time.Hour, func(int) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := load(ended, s, 0, time.Hour, func(int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestCallWantsItsStatus(t *testing.T) {
	answering := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != "key" || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer answering.Close()
	s := &server{url: answering.URL}
	post := call{http.MethodPost, "/x", []byte("{}"), http.StatusOK}
	if err := newCaller(s, "X-Api-Key", "key").do(post, nil); err != nil {
		t.Error(err)
	}
	if err := newCaller(s, "X-Api-Key", "other").do(post, nil); err == nil {
		t.Error("took 401 for an answer")
	}
}
