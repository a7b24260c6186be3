package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/control"
	"github.com/slipwayhq/slipway/internal/address"
)

// An agent may listen on a socket in its folder. Each request is a connection of
// its own. Who can reach the folder can reach the socket, and nobody else.
const (
	controlFile = "control.sock"
	// controlPatience is how long an answer may take.
	controlPatience = 5 * time.Second
)

func (in *instance) control() string { return filepath.Join(in.tmp(), controlFile) }

// ask has one conversation with an agent.
func (in *instance) ask(ctx context.Context, do string) (control.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, controlPatience)
	defer cancel()
	return in.await(ctx, do)
}

// await has one for which the agent may take as long as ctx lasts.
func (in *instance) await(ctx context.Context, do string) (control.Answer, error) {
	conn, err := address.DialSocket(ctx, in.control())
	if err != nil {
		return control.Answer{}, orNobody(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	a, err := control.Ask(conn, bufio.NewReader(conn), do)
	if err != nil {
		err = fmt.Errorf("process: instance %s: %w", in.id, err)
	}
	return a, err
}

// orNobody tells that nobody listens from what is wrong.
func orNobody(err error) error {
	if nobodyListens(err) {
		return control.ErrNobody
	}
	return err
}

// standing is what the instance calls itself, as far as that matters: that it
// stands by, has yielded, or "" while it may have its state open. What can not
// change any more is not asked again of the attempt.
func (in *instance) standing(ctx context.Context) string {
	in.mu.Lock()
	r, closed, open := in.run, in.yielded == in.run, in.opened == in.run && in.state.TermAt.IsZero()
	in.mu.Unlock()
	switch {
	case r == nil || open:
		return ""
	case closed:
		return control.Yielded
	}
	a, err := in.ask(ctx, control.State)
	if err != nil {
		return "" // it has not loaded, or does not say
	}
	return in.learn(r, a.State)
}

// learn keeps how an attempt stands.
func (in *instance) learn(r *run, state string) string {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch state {
	case control.StandingBy:
	case control.Yielded:
		in.yielded = r
	default:
		in.opened, state = r, ""
	}
	return state
}

// Release lets an instance that stands by open its state and serve. It returns
// once the agent has heard; one that has no way to stand by has begun already.
func (d *Driver) Release(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) error {
	in, err := d.find(id, i)
	if in == nil || err != nil || in.current() == nil {
		return errors.Join(err, ctx.Err())
	}
	if _, err := in.ask(ctx, control.Release); !errors.Is(err, control.ErrNobody) {
		return err
	}
	return nil
}

// Runs asks a running instance for its runs.
func (d *Driver) Runs(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (slipway.Runs, error) {
	in, err := d.find(id, i)
	if err != nil {
		return slipway.Runs{}, err
	}
	if in == nil || in.current() == nil {
		return slipway.Runs{}, slipway.ErrUntold
	}
	a, err := in.ask(ctx, control.Runs)
	if errors.Is(err, control.ErrNobody) {
		return slipway.Runs{}, slipway.ErrUntold
	}
	return a.Runs(), err
}
