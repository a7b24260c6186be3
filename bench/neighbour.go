package main

import (
	"context"
	"errors"
	"net/http"
	"time"
)

const (
	// neighbourGap is the time from one request to the next, whether or not the
	// last was answered: what a client has to wait for before it can ask counts.
	neighbourGap = 2 * time.Millisecond
	// neighbourLeast is how many requests are a look at a neighbour, at least.
	neighbourLeast = 1000
	// neighbourRest is how long the server is left alone before a look at what
	// the neighbour has while nothing happens: what comes after is not quiet yet.
	neighbourRest = 2 * time.Second
)

// neighbour is a deployment that is asked while something else happens.
type neighbour struct {
	*deployment
	caller *caller
}

// moveIn deploys a neighbour.
func moveIn(ctx context.Context, s *server) (*neighbour, error) {
	app, err := standInApp()
	if err != nil {
		return nil, err
	}
	d, err := s.create(ctx, "neighbour", app)
	if err != nil {
		return nil, err
	}
	if _, err := d.deploy(ctx, lookStandIn); err != nil {
		return nil, err
	}
	return &neighbour{d, newCaller(s, "X-Api-Key", s.key)}, nil
}

// heard is what a neighbour had to wait for its answers, and what the server used
// in both.
type heard struct{ quiet, busy burst }

// cost is what the server used for what was done, without what the neighbour's
// requests take.
func (h heard) cost() time.Duration {
	return h.busy.cpu - time.Duration(len(h.busy.times))*bursts{h.quiet}.each()
}

// ratio of what the slowest hundredth of the answers took.
func (h heard) ratio() float64 {
	return float64(h.busy.times.percentile(99)) / float64(h.quiet.times.percentile(99))
}

// hear asks the neighbour while something is done, and as often while nothing is:
// before, and the rest afterwards.
func (n *neighbour) hear(ctx context.Context, do func() error) (h heard, err error) {
	time.Sleep(neighbourRest)
	if h.quiet, err = n.ask(ctx, plan{limit: neighbourLeast}); err != nil {
		return h, err
	}
	over := make(chan struct{})
	var failed error
	go func() {
		defer close(over)
		failed = do()
	}()
	h.busy, err = n.ask(ctx, plan{until: over})
	if <-over; err != nil || failed != nil {
		return h, errors.Join(err, failed)
	}
	time.Sleep(neighbourRest)
	after, err := n.ask(ctx, plan{limit: max(neighbourLeast, len(h.busy.times)-neighbourLeast)})
	h.quiet.times, h.quiet.cpu = append(h.quiet.times, after.times...), h.quiet.cpu+after.cpu
	return h, err
}

func (n *neighbour) ask(ctx context.Context, p plan) (burst, error) {
	p.gap = neighbourGap
	return send(ctx, n.server, p, func(int) error {
		return n.caller.do(call{method: http.MethodGet, path: "/d/" + n.name + "/ok", want: http.StatusOK}, nil)
	})
}

// rowsOf sets what was heard beside what is heard while nothing happens, round by
// round.
func rowsOf(rounds []heard) []row {
	var quiet, busy, quietP99, busyP99 samples
	var worse numbers
	for _, h := range rounds {
		quiet, busy = append(quiet, h.quiet.times...), append(busy, h.busy.times...)
		quietP99, busyP99 = append(quietP99, h.quiet.times.percentile(99)), append(busyP99, h.busy.times.percentile(99))
		worse = append(worse, h.ratio())
	}
	return []row{
		spread("a neighbour's answers before and after", quiet).against("p99 %s", millis(quietP99.median())),
		spread("a neighbour's answers meanwhile", busy).against("p99 %s", millis(busyP99.median())),
		factors("p99 meanwhile, of that before and after", worse).with(goal{"≤ 2 ×", worse.median() <= 2}),
	}
}
