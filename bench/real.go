package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// realPairs is how many pairs of a real agent are taken.
	realPairs = 15
	// lookBare is how often an agent server that takes a second to start by
	// hand is asked whether it serves.
	lookBare = 5 * time.Millisecond
	// lookReal is how often its revision is looked at: rarely, since each look
	// takes time from what is measured. When it was deployed is what the server
	// says.
	lookReal = 250 * time.Millisecond
)

// realServer is a server with one real deployment that serves. As long as that
// is there, so is its build, and all that a first deploy installs.
func (l *lab) realServer(ctx context.Context) (*server, source, error) {
	data, err := l.folder("data")
	if err != nil {
		return nil, nil, err
	}
	s, _, err := l.slipwayServer(ctx, data)
	if err != nil {
		return nil, nil, err
	}
	app, err := echo()
	if err != nil {
		return nil, nil, err
	}
	d, err := s.create(ctx, "echo", app)
	if err != nil {
		return nil, nil, err
	}
	l.say("  installing and deploying a real agent")
	_, err = d.deploy(ctx, lookReal)
	return s, app, err
}

// deployReal compares a deploy of a real agent, its build cached, with a start
// of the same agent server by hand.
func deployReal(ctx context.Context, l *lab) ([]row, error) {
	s, app, err := l.realServer(ctx)
	if err != nil {
		return nil, err
	}
	defer s.end()
	launch, err := bareOf(s.data)
	if err != nil {
		return nil, err
	}
	n := 0
	deploy := func() (time.Duration, error) {
		n++
		l.say("  pair %d", n)
		r, err := deployOnce(ctx, s, fmt.Sprintf("echo-%d", n), app, lookReal)
		return r.deployed.Sub(r.sent), err
	}
	p, err := takePairs(l.times(realPairs), deploy, func() (time.Duration, error) { return launch.start(ctx, l, lookBare) })
	if err != nil {
		return nil, err
	}
	rows := rowsOfDeploy(p, 100*time.Millisecond)
	replaced, err := replaceReal(ctx, l, s, app)
	return append(rows, replaced...), err
}

// deployOnce deploys a new deployment, and removes it. Neither its upload nor
// its removal counts.
func deployOnce(ctx context.Context, s *server, name string, app source, every time.Duration) (rollout, error) {
	d, err := s.create(ctx, name, app)
	if err != nil {
		return rollout{}, err
	}
	r, err := d.deploy(ctx, every)
	if err != nil {
		return r, err
	}
	return r, d.remove(ctx)
}

func rowsOfDeploy(p pairs, limit time.Duration) []row {
	over := p.differences()
	return []row{
		spread("PATCH to DEPLOYED, cached build, over a bare start", over).
			with(atMost(over.median(), limit, millis(limit))).
			against("%.2f × a bare start", p.ratio()),
		spread("PATCH to DEPLOYED", p.ours),
		spread("bare start: exec to 200 on /ok", p.base),
	}
}

// replaceReal deploys revision after revision of one deployment while somebody
// talks to it.
func replaceReal(ctx context.Context, l *lab, s *server, app source) ([]row, error) {
	d, err := s.create(ctx, "replaced", app)
	if err != nil {
		return nil, err
	}
	if _, err := d.deploy(ctx, lookReal); err != nil {
		return nil, err
	}
	var took, held samples
	for range min(5, l.times(5)) {
		talk := d.talk(ctx, 20*time.Millisecond)
		r, err := d.deploy(ctx, lookReal)
		longest, errTalk := talk.end()
		if err := errors.Join(err, errTalk); err != nil {
			return nil, err
		}
		took, held = append(took, r.deployed.Sub(r.sent)), append(held, longest)
	}
	return []row{spread("replace: PATCH to DEPLOYED", took), spread("replace: the longest that a request was held", held)}, nil
}

// talk is requests that are sent to an agent at fixed times, whether or not
// those before have been answered.
type talk struct {
	stop     func()
	requests sync.WaitGroup

	mu      sync.Mutex
	longest time.Duration
	errs    []error
}

func (d *deployment) talk(ctx context.Context, every time.Duration) *talk {
	t := &talk{}
	talking, stop := context.WithCancel(ctx)
	t.stop = stop
	t.requests.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-talking.Done():
				return
			case <-tick.C:
				t.requests.Go(func() { t.ask(ctx, d) })
			}
		}
	})
	return t
}

func (t *talk) ask(ctx context.Context, d *deployment) {
	begun := time.Now()
	err := d.ask(ctx, "/ok")
	took := time.Since(begun)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.longest = max(t.longest, took)
	if err != nil {
		t.errs = append(t.errs, err)
	}
}

// end waits for the last answers, and returns the longest that one took. A
// request that was refused is an error.
func (t *talk) end() (time.Duration, error) {
	t.stop()
	t.requests.Wait()
	return t.longest, errors.Join(t.errs...)
}
