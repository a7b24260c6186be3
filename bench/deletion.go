package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

const (
	// deletesPerSecond arrive whether or not the last ones were answered.
	deletesPerSecond = 50
	// deleteLimit is for the answer of one of them, goneLimit for everything that
	// it began.
	deleteLimit, goneLimit = 20 * time.Millisecond, 2 * time.Second
	// deletesInOne is how many the contract has one request name.
	deletesInOne = 100
	// neighbourPause is what a neighbour's client waits between requests.
	neighbourPause = 5 * time.Millisecond
	// neighbourFor is how long the neighbour is asked while nothing is deleted.
	neighbourFor = 5 * time.Second
)

// deletion measures how soon a DELETE is answered and how soon nothing is left,
// and what a neighbour notices when a thousand go at once.
func deletion(ctx context.Context, l *lab) ([]row, error) {
	steady, err := deleteSteadily(ctx, l)
	if err != nil {
		return steady, err
	}
	many, err := deleteMany(ctx, l)
	return append(steady, many...), err
}

// deleteSteadily deletes real processes, so many a second.
func deleteSteadily(ctx context.Context, l *lab) ([]row, error) {
	program, err := l.buildStandIn(ctx)
	if err != nil {
		return nil, err
	}
	s, err := l.standInServer(ctx, program)
	if err != nil {
		return nil, err
	}
	defer s.end()
	all, err := listCrowd(ctx, l, s, fleet)
	if err != nil {
		return nil, err
	}
	l.say("  deleting %d a second", deletesPerSecond)
	answers := make(samples, len(all))
	errs := make([]error, len(all))
	var asked sync.WaitGroup
	tick := time.NewTicker(time.Second / deletesPerSecond)
	defer tick.Stop()
	for i, d := range all {
		<-tick.C
		asked.Go(func() {
			begun := time.Now()
			errs[i] = s.DeleteDeployment(ctx, d.ID, client.DeleteOptions{Now: true})
			answers[i] = time.Since(begun)
		})
	}
	asked.Wait()
	gone := make(samples, len(all))
	for i, d := range all {
		if errs[i] != nil {
			return nil, errs[i]
		}
		done, err := s.awaitDone(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		gone[i] = done.DoneAt.Sub(done.DeletedAt.Time)
	}
	p99 := answers.percentile(99)
	return []row{
		spread(fmt.Sprintf("DELETE answered, %d a second, of agents that run", deletesPerSecond), answers).
			with(goal{fmt.Sprintf("p99 < %s", millis(deleteLimit)), p99 < deleteLimit}).against("p99 %s", millis(p99)),
		spread("until the last thing was looked for and is gone, nothing kept", gone).with(atMost(gone.max(), goneLimit, millis(goneLimit))),
	}, nil
}

// listCrowd deploys so many, and lists them.
func listCrowd(ctx context.Context, l *lab, s *server, n int) ([]wire.Deployment, error) {
	app, err := standInApp()
	if err != nil {
		return nil, err
	}
	if _, err := deployCrowd(ctx, l, s, n-1, app); err != nil { // and the one that had the app built
		return nil, err
	}
	return s.Deployments(ctx, client.Filter{})
}

// awaitDone waits until nothing is left, and returns the receipt, which must have
// looked for everything.
func (s *server) awaitDone(ctx context.Context, id string) (wire.Deletion, error) {
	d, err := s.WatchDeletion(ctx, id, func(wire.Deletion) {})
	if err != nil {
		return d, err
	}
	for _, item := range d.Items {
		if item.VerifiedAt == nil {
			return d, fmt.Errorf("%s %s of %s was not looked for", item.Kind, item.Ref, id)
		}
	}
	return d, nil
}

// deleteMany deletes a thousand that cost nothing to stop, by as many requests as
// the contract needs, while somebody asks a neighbour.
func deleteMany(ctx context.Context, l *lab) ([]row, error) {
	s, err := l.standInServer(ctx, "")
	if err != nil {
		return nil, err
	}
	defer s.end()
	all, err := listCrowd(ctx, l, s, many+1)
	if err != nil {
		return nil, err
	}
	neighbour := deployment{server: s, id: all[many].ID, name: all[many].Name}
	quiet, err := neighbour.askFor(ctx, time.After(neighbourFor))
	if err != nil {
		return nil, err
	}
	l.say("  deleting them")
	over := make(chan time.Time)
	var took time.Duration
	var failed error
	go func() {
		defer close(over)
		took, failed = s.deleteAll(ctx, all[:many])
	}()
	busy, err := neighbour.askFor(ctx, over)
	if err != nil || failed != nil {
		return nil, fmt.Errorf("delete %d: %w", many, cmp.Or(failed, err))
	}
	worse := float64(busy.percentile(99)) / float64(quiet.percentile(99))
	return []row{
		single(fmt.Sprintf("%d deleted by %d requests: first DELETE to the last one gone", many, many/deletesInOne), millis(took)).
			against("%.0f /s", many/took.Seconds()),
		spread("a neighbour's answers before", quiet).against("p99 %s", millis(quiet.percentile(99))),
		spread("a neighbour's answers meanwhile", busy).against("p99 %s", millis(busy.percentile(99))),
		single("p99 meanwhile, of that before", times(worse)).with(goal{"≤ 2 ×", worse <= 2}),
	}, nil
}

// deleteAll names a hundred in each request, and waits until nothing is left of
// any.
func (s *server) deleteAll(ctx context.Context, all []wire.Deployment) (time.Duration, error) {
	begun := time.Now()
	for first := 0; first < len(all); first += deletesInOne {
		ids := url.Values{}
		for _, d := range all[first:min(first+deletesInOne, len(all))] {
			ids.Add("deployment_ids", d.ID)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodDelete, s.url+"/v2/deployments?"+ids.Encode(), nil)
		if err != nil {
			return 0, err
		}
		r.Header.Set("X-Api-Key", s.key)
		answer, err := transport.Do(r)
		if err != nil {
			return 0, err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("DELETE of %d: %s", len(ids["deployment_ids"]), answer.Status)
		}
	}
	var last time.Time
	for _, d := range all {
		done, err := s.awaitDone(ctx, d.ID)
		if err != nil {
			return 0, err
		}
		if done.DoneAt.After(last) {
			last = done.DoneAt.Time
		}
	}
	return last.Sub(begun), nil
}

// askFor asks an agent again and again, until it is over.
func (d *deployment) askFor(ctx context.Context, over <-chan time.Time) (all samples, err error) {
	for {
		begun := time.Now()
		if err := d.ask(ctx, "/ok"); err != nil {
			return all, err
		}
		all = append(all, time.Since(begun))
		select {
		case <-over:
			return all, nil
		case <-time.After(neighbourPause):
		}
	}
}
