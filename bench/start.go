package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/process"
)

const startRounds = 31

// start compares how soon a program serves that somebody was asked to run: the
// kernel alone, the process driver alone, pm2, and a server with its API, store
// and gate.
func start(ctx context.Context, l *lab) (rows []row, err error) {
	program, err := l.buildStandIn(ctx)
	if err != nil {
		return nil, err
	}
	s, err := l.standInServer(ctx, program)
	if err != nil {
		return nil, err
	}
	defer s.end()
	byServer, hand, err := serverStarts(ctx, l, s)
	if err != nil {
		return nil, err
	}
	driver, err := l.openDriver(program)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, driver.Close()) }()
	peer, err := l.openPM2(ctx, program)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, peer.end()) }()
	took, err := inTurn(l.times(startRounds),
		func() (time.Duration, error) { return hand.start(ctx, l, lookStandIn) },
		func() (time.Duration, error) { return driver.serve(ctx) },
		byServer,
		func() (time.Duration, error) { return peer.serve(ctx) },
	)
	if err != nil {
		return nil, err
	}
	return rowsOfStarts(took[0], took[1], took[2], took[3], peer.version), nil
}

func rowsOfStarts(hand, driver, server, peer samples, version string) []row {
	over := func(what string, s samples) row {
		return spread(what+", over a bare start", pairs{s, hand}.differences())
	}
	limit := pairs{peer, hand}.differences().median()
	held := func(what string, s samples) row {
		return over(what, s).with(atMost(pairs{s, hand}.differences().median(), limit, "pm2")).against("%s in all", millis(s.median()))
	}
	return []row{
		spread("bare start: exec to 200 on /ok", hand),
		over("pm2: start by its API to 200", peer).
			against("pm2 %s: %s in all; no store, no API over HTTP, no gate", version, millis(peer.median())),
		held("the process driver alone: Apply to 200", driver),
		held("the server: PATCH to 200 through the gateway", server),
	}
}

// serverStarts returns what deploys the stand-in anew, its build cached, and how
// the server starts it.
func serverStarts(ctx context.Context, l *lab, s *server) (func() (time.Duration, error), bare, error) {
	app, err := standInApp()
	if err != nil {
		return nil, bare{}, err
	}
	if err := warmBuild(ctx, s, app); err != nil {
		return nil, bare{}, err
	}
	hand, err := bareOf(s.data)
	n := 0
	return func() (time.Duration, error) {
		n++
		return serveOnce(ctx, s, fmt.Sprintf("start-%d", n), app)
	}, hand, err
}

// serveOnce deploys a new deployment, and returns the time from its PATCH to the
// first 200 through the gateway. Neither upload nor removal counts.
func serveOnce(ctx context.Context, s *server, name string, app source) (time.Duration, error) {
	d, err := s.create(ctx, name, app)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	r, err := d.patch(ctx)
	if err != nil {
		return 0, err
	}
	if err := d.answers(ctx); err != nil {
		return 0, err
	}
	took := time.Since(begun)
	if err := d.await(ctx, &r, lookStandIn); err != nil {
		return 0, err
	}
	return took, d.remove(ctx)
}

// answers asks the agent, through the gateway, until it is there.
func (d *deployment) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("%s did not answer within %v", d.name, startLimit))
	defer cancel()
	tick := time.NewTicker(lookStandIn)
	defer tick.Stop()
	for d.ask(ctx, "/ok") != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// lone is the process driver without a server.
type lone struct {
	*process.Driver
	program string
	started int
}

func (l *lab) openDriver(program string) (*lone, error) {
	data, err := l.folder("driver")
	if err != nil {
		return nil, err
	}
	d, err := process.Open(filepath.Join(data, "deployments"), process.Within(process.Walls{Data: data}))
	return &lone{Driver: d, program: program}, err
}

// serve has the driver start the program, and returns the time from the call to
// the first 200. Then it has it removed.
func (d *lone) serve(ctx context.Context) (time.Duration, error) {
	d.started++
	address, port, err := freePort()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	w := slipway.Workload{
		Deployment: slipway.NewID[slipway.DeploymentID](begun), Instance: slipway.NewID[slipway.InstanceID](begun), Attempt: 1,
		Args: []string{d.program}, Port: port,
	}
	_, err = d.Apply(ctx, w)
	if err == nil {
		err = answers(ctx, "http://"+address+"/ok", lookStandIn, nil)
	}
	took := time.Since(begun)
	return took, errors.Join(err, d.Stop(ctx, w.Deployment, w.Instance, 0), d.Delete(ctx, w.Deployment, w.Instance))
}

// freePort names a port that nothing listens on now, and its address.
func freePort() (address string, port int, err error) {
	if address, err = freeAddress(); err != nil {
		return "", 0, err
	}
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return address, port, err
}
