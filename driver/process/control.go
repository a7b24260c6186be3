package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/address"
)

// An agent may listen on a socket in its folder and tell there how it stands.
// Each request is a connection of its own: one line of JSON either way. Nothing
// is lost with us: who comes next asks again.
//
//	{"do": "state"}    {"state": "standing by"}
//	{"do": "release"}  {"state": "starting"}
//	{"do": "runs"}     {"pending": 1, "running": 2, "oldest_ms": 30, "workers": 10, "shared": false}
//	{"do": "yielded"}  {"state": "yielded"}, once it has its state closed for good
//	anything else      {"error": "…"}
//
// Who can reach the folder can reach the socket, and nobody else.
const (
	controlFile = "control.sock"
	// controlPatience is how long an answer may take.
	controlPatience = 5 * time.Second
	// longestAnswer bounds what an agent may answer.
	longestAnswer = 64 << 10
)

// What an agent calls itself while it has no state open: as long as it waits to be
// released, and once it only has to tidy up before it ends.
const (
	standingBy = "standing by"
	yielded    = "yielded"
)

// errNoControl means that nobody listens: it has not loaded, or never will.
var errNoControl = errors.New("process: the agent has no control socket")

func (in *instance) control() string { return filepath.Join(in.tmp(), controlFile) }

type controlAnswer struct {
	State    string `json:"state"`
	Error    string `json:"error"`
	Pending  int    `json:"pending"`
	Running  int    `json:"running"`
	OldestMS int64  `json:"oldest_ms"`
	Workers  int    `json:"workers"`
	Shared   bool   `json:"shared"`
}

// ask has one conversation with an agent.
func (in *instance) ask(ctx context.Context, do string) (controlAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, controlPatience)
	defer cancel()
	return in.await(ctx, do)
}

// await has one for which the agent may take as long as ctx lasts.
func (in *instance) await(ctx context.Context, do string) (controlAnswer, error) {
	var a controlAnswer
	conn, err := address.DialSocket(ctx, in.control())
	if err != nil {
		return a, orNoControl(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := fmt.Fprintf(conn, "{\"do\": %q}\n", do); err != nil {
		return a, fmt.Errorf("process: ask %s for %s: %w", in.id, do, err)
	}
	line, err := bufio.NewReader(io.LimitReader(conn, longestAnswer)).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	if err != nil {
		err = fmt.Errorf("process: the answer of %s to %s: %w", in.id, do, err)
	}
	return a, err
}

// orNoControl tells that nobody listens from what is wrong.
func orNoControl(err error) error {
	if nobodyListens(err) {
		return errNoControl
	}
	return err
}

// standing is what the instance calls itself, as far as that matters: standingBy,
// yielded, or "" while it may have its state open. What can not change any more is
// not asked again of the attempt.
func (in *instance) standing(ctx context.Context) string {
	in.mu.Lock()
	r, closed, open := in.run, in.yielded == in.run, in.opened == in.run && in.state.TermAt.IsZero()
	in.mu.Unlock()
	switch {
	case r == nil || open:
		return ""
	case closed:
		return yielded
	}
	a, err := in.ask(ctx, "state")
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
	case standingBy:
	case yielded:
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
	if _, err := in.ask(ctx, "release"); !errors.Is(err, errNoControl) {
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
	a, err := in.ask(ctx, "runs")
	if errors.Is(err, errNoControl) {
		return slipway.Runs{}, slipway.ErrUntold
	}
	return slipway.Runs{
		Pending: a.Pending, Running: a.Running, Workers: a.Workers, Shared: a.Shared,
		Oldest: time.Duration(a.OldestMS) * time.Millisecond,
	}, err
}
