package main

import (
	"slices"
	"time"
)

// samples of one thing.
type samples []time.Duration

func (s samples) median() time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile is the value that a share of the samples, in percent, does not
// exceed.
func (s samples) percentile(p int) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[(len(sorted)-1)*p/100]
}

func (s samples) min() time.Duration { return slices.Min(append(samples{}, s...)) }
func (s samples) max() time.Duration { return slices.Max(append(samples{}, s...)) }

// repeat takes n samples.
func repeat(n int, take func() (time.Duration, error)) (samples, error) {
	var all samples
	for range n {
		d, err := take()
		if err != nil {
			return all, err
		}
		all = append(all, d)
	}
	return all, nil
}

// pairs are samples of two things taken in turn, so that what else the machine
// does meets both alike.
type pairs struct{ ours, base samples }

// takePairs takes n of each; which is first alternates too.
func takePairs(n int, ours, base func() (time.Duration, error)) (pairs, error) {
	took, err := inTurn(n, ours, base)
	return pairs{took[0], took[1]}, err
}

// inTurn takes n samples of each, one of each in every round; who is first
// changes from round to round.
func inTurn(n int, takes ...func() (time.Duration, error)) ([]samples, error) {
	all := make([]samples, len(takes))
	for round := range n {
		for turn := range takes {
			who := (round + turn) % len(takes)
			took, err := takes[who]()
			if err != nil {
				return all, err
			}
			all[who] = append(all[who], took)
		}
	}
	return all, nil
}

// differences are ours minus base, pair by pair.
func (p pairs) differences() samples {
	all := make(samples, len(p.ours))
	for i := range all {
		all[i] = p.ours[i] - p.base[i]
	}
	return all
}

// ratio of the medians.
func (p pairs) ratio() float64 { return float64(p.ours.median()) / float64(p.base.median()) }

// ratios of the samples, pair by pair.
func (p pairs) ratios() numbers {
	all := make(numbers, len(p.ours))
	for i := range all {
		all[i] = float64(p.ours[i]) / float64(p.base[i])
	}
	return all
}

// numbers are samples of what has no unit, or a rate.
type numbers []float64

func (n numbers) median() float64 {
	if len(n) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(n))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func (n numbers) min() float64 { return slices.Min(append(numbers{}, n...)) }
func (n numbers) max() float64 { return slices.Max(append(numbers{}, n...)) }
