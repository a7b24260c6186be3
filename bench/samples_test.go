package main

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for name, c := range map[string]struct {
		given samples
		want  time.Duration
	}{
		"none": {nil, 0},
		"one":  {samples{7}, 7},
		"odd":  {samples{9, 1, 5}, 5},
		"even": {samples{9, 1, 5, 3}, 4},
	} {
		given := slices.Clone(c.given)
		if got := c.given.median(); got != c.want || !slices.Equal(c.given, given) {
			t.Errorf("%s: %v, left %v", name, got, c.given)
		}
	}
}

func TestPairsAlternate(t *testing.T) {
	var order string
	take := func(name string, d time.Duration) func() (time.Duration, error) {
		return func() (time.Duration, error) { order += name; return d, nil }
	}
	p, err := takePairs(3, take("o", 30), take("b", 20))
	if err != nil || order != "obboob" {
		t.Fatalf("order %s, %v", order, err)
	}
	if !slices.Equal(p.differences(), samples{10, 10, 10}) || p.ratio() != 1.5 {
		t.Errorf("differences %v, ratio %v", p.differences(), p.ratio())
	}
	failure := errors.New("no")
	if _, err := takePairs(3, take("o", 1), func() (time.Duration, error) { return 0, failure }); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
}

func TestInTurn(t *testing.T) {
	var order string
	take := func(name string) func() (time.Duration, error) {
		return func() (time.Duration, error) { order += name; return time.Duration(name[0]), nil }
	}
	took, err := inTurn(3, take("a"), take("b"), take("c"))
	if err != nil || order != "abc"+"bca"+"cab" {
		t.Errorf("order %s, %v", order, err)
	}
	if want := []samples{{'a', 'a', 'a'}, {'b', 'b', 'b'}, {'c', 'c', 'c'}}; !slices.EqualFunc(took, want, slices.Equal[samples]) {
		t.Errorf("took %v", took)
	}
}

func TestAtOnce(t *testing.T) {
	done := make([]bool, 100)
	if err := atOnce(len(done), func(i int) error { done[i] = true; return nil }); err != nil || slices.Contains(done, false) {
		t.Errorf("done %v, %v", done, err)
	}
	failure := errors.New("no")
	if err := atOnce(100, func(int) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
}
