package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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
	// massRounds is how often a thousand are deleted: in a single round the machine
	// may do something else.
	massRounds = 5
	// lookDeleted is how often it is asked whether something is left.
	lookDeleted = 50 * time.Millisecond
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
// the contract needs, while somebody asks a neighbour; again and again.
func deleteMany(ctx context.Context, l *lab) ([]row, error) {
	s, err := l.standInServer(ctx, "")
	if err != nil {
		return nil, err
	}
	defer s.end()
	n, err := moveIn(ctx, s)
	if err != nil {
		return nil, err
	}
	var rate numbers
	var cost samples
	var heard []heard
	for range l.times(massRounds) {
		all, err := listCrowd(ctx, l, s, many)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(d wire.Deployment) bool { return d.Name == n.name })
		l.say("  deleting them")
		one, err := n.hear(ctx, func() error {
			took, err := s.deleteAll(ctx, all)
			rate = append(rate, float64(len(all))/took.Seconds())
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("delete %d: %w", many, err)
		}
		heard, cost = append(heard, one), append(cost, one.cost()/many)
		if err := s.checkReceipts(ctx, all); err != nil {
			return nil, err
		}
	}
	first := rates(fmt.Sprintf("%d deleted by %d requests: first DELETE to the last one gone", many, many/deletesInOne), rate).
		against("%s of the server's CPU each", millis(cost.median()))
	return append([]row{first}, rowsOf(heard)...), nil
}

// deleteAll names a hundred in each request, waits until nothing is left of any,
// and returns how long all that took.
func (s *server) deleteAll(ctx context.Context, all []wire.Deployment) (time.Duration, error) {
	begun := time.Now()
	for some := range slices.Chunk(all, deletesInOne) {
		ids := url.Values{}
		for _, d := range some {
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
			return 0, fmt.Errorf("DELETE of %d: %s", len(some), answer.Status)
		}
	}
	err := s.awaitNoneDeleted()
	return time.Since(begun), err
}

// awaitNoneDeleted waits until nothing is left of what was deleted. It asks for
// one at a time: a list of all would keep the server busy.
func (s *server) awaitNoneDeleted() error {
	c := newCaller(s, "X-Api-Key", s.key)
	tick := time.NewTicker(lookDeleted)
	defer tick.Stop()
	for left := true; left; <-tick.C {
		err := c.do(call{method: http.MethodGet, path: "/v1/deleted-deployments?limit=1", want: http.StatusOK}, func(answer []byte) error {
			var list wire.DeletedDeploymentsList
			err := json.Unmarshal(answer, &list)
			left = len(list.Resources) > 0
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkReceipts reads the receipts of what was deleted.
func (s *server) checkReceipts(ctx context.Context, all []wire.Deployment) error {
	for _, d := range all {
		if _, err := s.awaitDone(ctx, d.ID); err != nil {
			return err
		}
	}
	return nil
}
