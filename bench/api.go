package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// rounds is how often every server is given every kind of work.
	rounds = 5
	// burstFor is how long it is given one at a time.
	burstFor = 1500 * time.Millisecond
	// shelf is how many deployments there are before and after each burst, and
	// fewShelf on a server that has few.
	shelf, fewShelf = 10_000, 100
)

// operation is one kind of work.
type operation struct {
	name string
	// normal and full are how many times as fast as PocketBase as shipped, and
	// at FULL, we want to be; 0 for no goal.
	normal, full float64
	burst        func(context.Context, *target) (burst, error)
}

// operations in the order of a round. What create makes, delete removes.
var operations = []operation{
	{"get", 2, 0, getAny},
	{"list 20, first page", 1.5, 0, listAt(0)},
	{"list 20, last page", 0, 0, listAt(shelf - pageLength)},
	{"patch display_name", 1, 2, patchAny},
	{"create", 1, 2, createMany},
	{"delete", 1, 2, deleteMade},
}

func getAny(ctx context.Context, t *target) (burst, error) {
	return load(ctx, t.server, 0, burstFor, func(int) error { return t.do(t.get(t.any()), nil) })
}

func listAt(offset int) func(context.Context, *target) (burst, error) {
	return func(ctx context.Context, t *target) (burst, error) {
		return load(ctx, t.server, 0, burstFor, func(int) error { return t.do(t.list(offset), nil) })
	}
}

func patchAny(ctx context.Context, t *target) (burst, error) {
	return load(ctx, t.server, 0, burstFor, func(n int) error { return t.do(t.patch(t.any(), n), nil) })
}

func (t *target) any() string { return t.ids[rand.IntN(len(t.ids))] }

func createMany(ctx context.Context, t *target) (b burst, err error) {
	t.passing, b, err = t.add(ctx, 0, burstFor)
	return b, err
}

// deleteMade waits, outside of what is measured, until the last is gone: ours
// removes rows after its answer.
func deleteMade(ctx context.Context, t *target) (burst, error) {
	b, err := load(ctx, t.server, len(t.passing), 0, func(n int) error { return t.do(t.remove(t.passing[n]), nil) })
	if err != nil {
		return b, err
	}
	return b, t.awaitGone(ctx, t.passing)
}

// awaitGone ends when none of the ids is found.
func (t *target) awaitGone(ctx context.Context, ids []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("deleted deployments are there after %v", startLimit))
	defer cancel()
	for _, id := range ids {
		gone := t.get(id)
		gone.want = 404
		for t.do(gone, nil) != nil {
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// api measures the control plane's requests, in turn with PocketBase doing the
// same.
func api(ctx context.Context, l *lab) ([]row, error) {
	targets, err := l.targets(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		l.say("  %s: making %d deployments", t.name, shelf)
		if err := t.fill(ctx, shelf); err != nil {
			return nil, err
		}
		l.say("    a create sends %d bytes, a get answers %d", len(t.body("bench-1")), t.size)
	}
	all, err := l.compare(ctx, targets)
	if err != nil {
		return nil, err
	}
	var rows []row
	for i, op := range operations {
		rows = append(rows, op.rows(targets, all[i])...)
	}
	calm, err := l.calm(ctx, targets)
	if err != nil {
		return nil, err
	}
	pages, err := l.pages(ctx, targets[0])
	return slices.Concat(rows, calm, pages), err
}

// calmRate is how many deployments a second are read where the machine has room
// for more: how long that takes is then the server's doing, not the queue's.
const calmRate = 1000

func (l *lab) calm(ctx context.Context, targets []*target) ([]row, error) {
	done := make([]bursts, len(targets))
	for range l.times(rounds) {
		for i, t := range targets {
			b, err := send(ctx, t.server, plan{within: burstFor, gap: time.Second / calmRate}, func(int) error { return t.do(t.get(t.any()), nil) })
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t.name, err)
			}
			done[i] = append(done[i], b)
		}
	}
	var rows []row
	for i, t := range targets {
		all := done[i].times()
		r := rates(fmt.Sprintf("get, %d a second: %s", calmRate, t.name), done[i].rates()).
			against("p50 %s, p99 %s", millis(all.percentile(50)), millis(all.percentile(99)))
		if i == 0 {
			r = r.with(goal{"p99 < 5 ms", all.percentile(99) < 5*time.Millisecond})
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// compare gives all targets every work, round by round; who is first changes.
// It returns bursts by operation, target and round.
func (l *lab) compare(ctx context.Context, targets []*target) ([][]bursts, error) {
	all := make([][]bursts, len(operations))
	for i := range all {
		all[i] = make([]bursts, len(targets))
	}
	for round := range l.times(rounds) {
		l.say("  round %d", round+1)
		for i, op := range operations {
			for turn := range targets {
				who := (round + turn) % len(targets)
				b, err := op.burst(ctx, targets[who])
				if err != nil {
					return all, fmt.Errorf("%s: %s: %w", targets[who].name, op.name, err)
				}
				all[i][who] = append(all[i][who], b)
			}
		}
	}
	return all, nil
}

// targets are Slipway, PocketBase as shipped, and PocketBase at FULL.
func (l *lab) targets(ctx context.Context) ([]*target, error) {
	ours, err := l.slipwayTarget(ctx)
	if err != nil {
		return nil, err
	}
	if err := ours.fill(ctx, 1); err != nil {
		return nil, err
	}
	like, err := ours.sample(ours.ids[0])
	if err != nil {
		return nil, err
	}
	normal, err := l.pocketTarget(ctx, "NORMAL", like)
	if err != nil {
		return nil, err
	}
	full, err := l.pocketTarget(ctx, "FULL", like)
	return []*target{ours, normal, full}, err
}

// fill makes deployments that stay, until there are so many.
func (t *target) fill(ctx context.Context, n int) error {
	ids, _, err := t.add(ctx, n-len(t.ids), 0)
	if err != nil {
		return err
	}
	t.ids = append(t.ids, ids...)
	_, err = t.sample(t.ids[0])
	return err
}

// pages compares lists on one server with few deployments and one with many, in
// turn.
func (l *lab) pages(ctx context.Context, many *target) ([]row, error) {
	few, err := l.slipwayTarget(ctx)
	if err != nil {
		return nil, err
	}
	if err := few.fill(ctx, fewShelf); err != nil {
		return nil, err
	}
	ask := func(t *target, offset int) func() (time.Duration, error) {
		return func() (time.Duration, error) {
			b, err := listAt(offset)(ctx, t)
			return b.took / time.Duration(max(1, len(b.times))), err
		}
	}
	first, err := takePairs(l.times(rounds), ask(many, 0), ask(few, 0))
	if err != nil {
		return nil, err
	}
	last, err := takePairs(l.times(rounds), ask(many, shelf-pageLength), ask(many, 0))
	if err != nil {
		return nil, err
	}
	return []row{
		factors(fmt.Sprintf("first page of %d over first page of %d: time", shelf, fewShelf), first.ratios()).
			with(atMost(first.ratios().median(), 1.1, "1.1 ×")),
		factors(fmt.Sprintf("last page of %d over its first: time", shelf), last.ratios()).with(atMost(last.ratios().median(), 3, "3 ×")),
	}, nil
}

// rows of an operation: what each target did, and how ours compares.
func (o operation) rows(targets []*target, done []bursts) []row {
	var rows []row
	for i, t := range targets {
		all := done[i].times()
		r := rates(o.name+": "+t.name, done[i].rates()).
			against("p50 %s, p99 %s; %.0f µs of its CPU each", millis(all.percentile(50)), millis(all.percentile(99)), micros(done[i].each()))
		rows = append(rows, r)
	}
	for i, want := range []float64{o.normal, o.full} {
		r := done[0].over(done[i+1])
		compared := factors(fmt.Sprintf("%s: Slipway over %s", o.name, targets[i+1].name), r)
		if want > 0 {
			compared = compared.with(atLeast(r.median(), want, fmt.Sprintf("%v ×", want)))
		}
		rows = append(rows, compared)
	}
	return rows
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
