package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	standInPairs = 31
	// lookStandIn is how often what serves within milliseconds is looked at.
	lookStandIn = time.Millisecond
	// crowd is how many are deployed at once, by so many clients.
	crowd, clients = 300, 16
)

// buildStandIn builds the agent that serves within milliseconds.
func (l *lab) buildStandIn(ctx context.Context) (string, error) {
	return l.build(ctx, "stand-in", "github.com/slipwayhq/slipway/driver/drivertest/standin")
}

// build builds a program.
func (l *lab) build(ctx context.Context, name, path string) (string, error) {
	program := filepath.Join(l.scratch, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, path)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return program, nil
}

// deployStandIn measures deploys of an agent whose own start hardly counts: one
// at a time, and as many at once as the machine will do.
func deployStandIn(ctx context.Context, l *lab) ([]row, error) {
	program, err := l.buildStandIn(ctx)
	if err != nil {
		return nil, err
	}
	app, err := standInApp()
	if err != nil {
		return nil, err
	}
	one, err := standInLatency(ctx, l, program, app)
	if err != nil {
		return one, err
	}
	many, err := standInThroughput(ctx, l, program, app)
	if err != nil {
		return one, err
	}
	return append(one, many...), nil
}

func standInLatency(ctx context.Context, l *lab, program string, app source) ([]row, error) {
	s, err := l.standInServer(ctx, program)
	if err != nil {
		return nil, err
	}
	defer s.end()
	first, err := s.create(ctx, "first", app)
	if err != nil {
		return nil, err
	}
	if _, err := first.deploy(ctx, lookStandIn); err != nil {
		return nil, err
	}
	launch, err := bareOf(s.data)
	if err != nil {
		return nil, err
	}
	n := 0
	deploy := func() (time.Duration, error) {
		n++
		r, err := deployOnce(ctx, s, fmt.Sprintf("stand-in-%d", n), app, lookStandIn)
		return r.seen.Sub(r.sent), err
	}
	p, err := takePairs(l.times(standInPairs), deploy, func() (time.Duration, error) { return launch.start(ctx, l, lookStandIn) })
	if err != nil {
		return nil, err
	}
	return rowsOfDeploy(p, 25*time.Millisecond), nil
}

func standInThroughput(ctx context.Context, l *lab, program string, app source) ([]row, error) {
	s, err := l.standInServer(ctx, program)
	if err != nil {
		return nil, err
	}
	defer s.end()
	c, err := deployCrowd(ctx, l, s, crowd, app)
	if err != nil {
		return nil, err
	}
	rate := float64(crowd) / c.took.Seconds()
	return []row{
		single(fmt.Sprintf("%d deployments at once by %d clients, without uploads", crowd, clients), fmt.Sprintf("%.0f /s", rate)).
			with(atLeast(rate, 100, "100 /s")).
			against("%s of the server's CPU each", millis(c.cpu/crowd)),
	}, nil
}

// convergence is how a crowd of deployments came to serve.
type convergence struct {
	took time.Duration // from the first PATCH to the last DEPLOYED, by the server's stamp
	cpu  time.Duration // that the server used
}

// deployCrowd makes deployments and uploads their sources, and then deploys all
// at once.
func deployCrowd(ctx context.Context, l *lab, s *server, n int, app source) (convergence, error) {
	l.say("  creating %d deployments", n)
	all := make([]*deployment, n)
	err := atOnce(n, func(i int) (err error) {
		all[i], err = s.create(ctx, fmt.Sprintf("crowd-%d", i), app)
		return err
	})
	if err != nil {
		return convergence{}, err
	}
	if err := warmBuild(ctx, s, app); err != nil {
		return convergence{}, err
	}
	l.say("  deploying them")
	rollouts := make([]rollout, n)
	before, err := cpuTime(s.pid())
	if err != nil {
		return convergence{}, err
	}
	err = atOnce(n, func(i int) (err error) {
		rollouts[i], err = all[i].patch(ctx)
		return err
	})
	if err != nil {
		return convergence{}, err
	}
	c := convergence{}
	if c.took, err = awaitCrowd(ctx, all, rollouts); err != nil {
		return c, err
	}
	after, err := cpuTime(s.pid())
	c.cpu = after - before
	return c, err
}

// warmBuild has the app built, so that all others find it built.
func warmBuild(ctx context.Context, s *server, app source) error {
	d, err := s.create(ctx, "warm", app)
	if err != nil {
		return err
	}
	_, err = d.deploy(ctx, lookStandIn)
	return err
}

// awaitCrowd waits for the last first, which asks little of the server while it
// works; when each was deployed is what the server says.
func awaitCrowd(ctx context.Context, all []*deployment, rollouts []rollout) (time.Duration, error) {
	first, last := rollouts[0].sent, time.Time{}
	for i, d := range slices.Backward(all) {
		r := &rollouts[i]
		if err := d.await(ctx, r, 100*time.Millisecond); err != nil {
			return 0, err
		}
		if r.sent.Before(first) {
			first = r.sent
		}
		if r.deployed.After(last) {
			last = r.deployed
		}
	}
	return last.Sub(first), nil
}

// atOnce does n things by so many clients as there are, until one fails.
func atOnce(n int, do func(int) error) error {
	work := make(chan int)
	failed := make(chan error, clients)
	var working sync.WaitGroup
	for range clients {
		working.Go(func() {
			for i := range work {
				if err := do(i); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	var err error
	for i := 0; i < n && err == nil; i++ {
		select {
		case work <- i:
		case err = <-failed:
		}
	}
	close(work)
	working.Wait()
	select {
	case err = <-failed:
	default:
	}
	return err
}
