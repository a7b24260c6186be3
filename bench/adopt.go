package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/slipwayhq/slipway/client"
)

const (
	// fleet is how many agents run on one server, each a real process.
	fleet = 200
	// adoptions is how often their server is killed and started again.
	adoptions = 11
	// adoptLimit is for all of them.
	adoptLimit = 2 * time.Second
)

// adopt measures what a server costs that looks after agents which have nothing
// to do, how soon the next one has them when it is killed, and how long it takes
// to end them all.
func adopt(ctx context.Context, l *lab) ([]row, error) {
	program, err := l.buildStandIn(ctx)
	if err != nil {
		return nil, err
	}
	s, err := l.standInServer(ctx, program)
	if err != nil {
		return nil, err
	}
	defer killAgents(s.data)
	app, err := standInApp()
	if err != nil {
		return nil, err
	}
	// One is there beside the crowd: that which had the app built.
	if _, err := deployCrowd(ctx, l, s, fleet-1, app); err != nil {
		return nil, err
	}
	rest, err := l.watchIdle(ctx, s)
	if err != nil {
		return nil, err
	}
	rows := []row{
		single(fmt.Sprintf("%d agents at rest: memory of the server (RSS)", fleet), megabytes(rest.rss)).
			against("%s as PSS", megabytes(rest.pss)),
		single(fmt.Sprintf("%d agents at rest: CPU of the server", fleet), percent(rest.cpu)),
	}
	s, took, err := l.adoptAgain(ctx, s, program)
	if err != nil {
		return rows, err
	}
	rows = append(rows, spread(fmt.Sprintf("%d agents adopted after SIGKILL: exec to 200 on /readyz", fleet), took).
		with(atMost(took.max(), adoptLimit, millis(adoptLimit))))
	all, err := s.stopAll(ctx)
	if err != nil {
		return rows, err
	}
	return append(rows, single(fmt.Sprintf("%d agents stopped: first DELETE to the last one gone, by %d clients", fleet, clients), millis(all))), s.stop()
}

// adoptAgain kills the server and starts the next one, again and again, and
// returns the last one and how long each took to be ready. No agent may have
// become another, and all must answer.
func (l *lab) adoptAgain(ctx context.Context, s *server, program string) (*server, samples, error) {
	before := mains(s.data)
	if len(before) != fleet {
		return s, nil, fmt.Errorf("%d agents run, not %d", len(before), fleet)
	}
	took, err := repeat(l.times(adoptions), func() (time.Duration, error) {
		s.kill()
		next, took, err := l.standInServerOn(ctx, s.data, program)
		if err != nil {
			return 0, err
		}
		s = next
		if now := mains(s.data); !maps.Equal(now, before) {
			return 0, fmt.Errorf("agents are not those that were adopted: %v, were %v", now, before)
		}
		return took, s.askAll(ctx)
	})
	return s, took, err
}

// mains are the processes that lead an agent, by the instance's folder.
func mains(data string) map[string]int {
	pids := map[string]int{}
	for _, a := range agents(data) {
		if leads(a.pid) {
			pids[value(a.env, varFolder)] = a.pid
		}
	}
	return pids
}

// askAll asks every agent once, through the gateway.
func (s *server) askAll(ctx context.Context) error {
	all, err := s.Deployments(ctx, client.Filter{})
	if err != nil {
		return err
	}
	return atOnce(len(all), func(i int) error {
		d := deployment{server: s, id: all[i].ID, name: all[i].Name}
		return d.ask(ctx, "/ok")
	})
}

// stopAll deletes every deployment, and returns how long it took until nothing
// was left of any.
func (s *server) stopAll(ctx context.Context) (time.Duration, error) {
	all, err := s.Deployments(ctx, client.Filter{})
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	err = atOnce(len(all), func(i int) error { return s.DeleteDeployment(ctx, all[i].ID, client.DeleteOptions{Now: true}) })
	if err != nil {
		return 0, err
	}
	err = atOnce(len(all), func(i int) error { return s.WaitGone(ctx, all[i].ID) })
	took := time.Since(begun)
	if left := agents(s.data); len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("%d processes are left", len(left)))
	}
	return took, err
}
