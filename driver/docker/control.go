package docker

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/control"
)

// labelControl is an image's: argv of a program in it, as JSON, that passes on
// what the agent is asked. An image without it has no agent that could be asked.
const labelControl = "slipway.control"

// varStandBy tells an agent to load, and then to wait for its release.
const varStandBy = "SLIPWAY_STAND_BY=1"

// controlPatience is how long an answer may take, with the start of the program.
const controlPatience = 15 * time.Second

func controlOf(labels map[string]string) (argv []string) {
	_ = json.Unmarshal([]byte(labels[labelControl]), &argv) // what is none is as good as none
	return argv
}

// line is a connection to the program in a container that passes on what its
// agent is asked: to the engine it is a command like any other, so that it works
// wherever the engine is. It is kept, since to start the program takes longer than
// to ask. Nothing is lost with it: what it passes on may be asked again.
type line struct {
	container string
	client.HijackedResponse
	answers *bufio.Reader
}

// askSoon asks an agent for what it can say at once.
func (d *Driver) askSoon(ctx context.Context, in *instance, l *look, do string) (control.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, controlPatience)
	defer cancel()
	return d.ask(ctx, in, l, do)
}

// ask asks an agent for something that may take as long as ctx lasts. A line that
// was kept may be dead: then another is made.
func (d *Driver) ask(ctx context.Context, in *instance, l *look, do string) (control.Answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.alive, cancel)()
	for {
		kept := in.takeLine(l.id)
		to := kept
		if kept == nil {
			var err error
			if to, err = d.dial(ctx, l); err != nil {
				return control.Answer{}, err
			}
		}
		a, err := to.ask(ctx, do)
		if err == nil || errors.Is(err, control.ErrNobody) {
			d.keepLine(in, to)
			return a, err
		}
		to.Close()
		if kept == nil || ctx.Err() != nil {
			return a, fmt.Errorf("instance %s: %w", in.id, err)
		}
	}
}

// dial has the engine start the program.
func (d *Driver) dial(ctx context.Context, l *look) (*line, error) {
	if len(l.control) == 0 {
		return nil, control.ErrNobody
	}
	made, err := d.Engine.ExecCreate(ctx, l.id, client.ExecCreateOptions{Cmd: l.control, AttachStdin: true, AttachStdout: true})
	var attached client.ExecAttachResult
	if err == nil {
		attached, err = d.Engine.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	}
	if err == nil {
		return &line{l.id, attached.HijackedResponse, bufio.NewReader(&printed{from: attached.Reader})}, nil
	}
	if err := d.unlessEnded("speak to container", err); err != nil {
		return nil, err
	}
	return nil, control.ErrNobody
}

// ask fails when ctx ends; the line is of no use then.
func (s *line) ask(ctx context.Context, do string) (control.Answer, error) {
	stop := context.AfterFunc(ctx, func() { s.Conn.SetDeadline(time.Unix(1, 0)) })
	a, err := control.Ask(s.Conn, s.answers, do)
	if !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	return a, err
}

// takeLine takes a line that was kept to a container, nil if there is none.
func (in *instance) takeLine(container string) *line {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.line
	in.line = nil
	if s != nil && s.container != container {
		s.Close()
		return nil
	}
	return s
}

// keepLine keeps one line for the next who asks. It ends with the driver, and with
// what it leads to.
func (d *Driver) keepLine(in *instance, s *line) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.line != nil || d.alive.Err() != nil {
		s.Close()
		return
	}
	in.line = s
}

// hangUp closes the line that is kept, if one is.
func (in *instance) hangUp() { in.takeLine("") }

// printed is what a program prints, out of the messages in which an engine sends
// it: each is a header of eight bytes, and as much as that says.
type printed struct {
	from io.Reader
	left uint32
}

func (p *printed) Read(into []byte) (int, error) {
	for p.left == 0 {
		var header [8]byte
		if _, err := io.ReadFull(p.from, header[:]); err != nil {
			return 0, err
		}
		p.left = binary.BigEndian.Uint32(header[4:])
	}
	n, err := p.from.Read(into[:min(len(into), int(p.left))])
	p.left -= uint32(n)
	return n, err
}

// standing is what the agent of a container calls itself, as far as that matters:
// that it stands by, has yielded, or "" while it may have its state open. It is
// asked only while it can change: of those that were started to stand by, and that
// were asked to end.
func (d *Driver) standing(ctx context.Context, in *instance, l *look) string {
	in.mu.Lock()
	closed, open := in.yielded == l.id, in.opened == l.id || !l.stoodBy
	in.mu.Unlock()
	switch {
	case closed:
		return control.Yielded
	case open && !in.isAsked(l):
		return ""
	}
	a, err := d.askSoon(ctx, in, l, control.State)
	if err != nil {
		return "" // it has not loaded, or does not say
	}
	return in.learn(l, a.State)
}

// learn keeps how the agent of a container stands.
func (in *instance) learn(l *look, state string) string {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch state {
	case control.StandingBy:
	case control.Yielded:
		in.yielded = l.id
	default:
		in.opened, state = l.id, ""
	}
	return state
}

// Release lets an instance that stands by open its state and serve. It returns
// once the agent has heard; one that has no way to stand by has begun already.
func (d *Driver) Release(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) error {
	in, l, err := d.current(ctx, id, i)
	if l == nil || err != nil {
		return err
	}
	if _, err := d.askSoon(ctx, in, l, control.Release); !errors.Is(err, control.ErrNobody) {
		return err
	}
	return nil
}

// Runs asks a running instance for its runs or, of an image without a way to be
// asked, the server itself.
func (d *Driver) Runs(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (slipway.Runs, error) {
	in, l, err := d.current(ctx, id, i)
	if err != nil {
		return slipway.Runs{}, err
	}
	if l == nil {
		return slipway.Runs{}, slipway.ErrUntold
	}
	if len(l.control) == 0 {
		return in.toldByServer(ctx, l)
	}
	a, err := d.askSoon(ctx, in, l, control.Runs)
	if errors.Is(err, control.ErrNobody) {
		return slipway.Runs{}, slipway.ErrUntold
	}
	return a.Runs(), err
}

// Yield asks the container to end as Stop does, and returns as soon as its agent
// says that its state is closed. One that does not say is stopped.
func (d *Driver) Yield(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	in, err := d.find(id, i)
	if err != nil {
		return err
	}
	if in != nil {
		l, err := d.inspect(ctx, in)
		if err != nil {
			return err
		}
		if l.running() && d.yields(ctx, in, l, grace) {
			return nil
		}
	}
	return d.Stop(ctx, id, i, grace)
}

// yields has a container drain, and says whether its agent is heard to have
// yielded. Who ends without a word is not.
func (d *Driver) yields(ctx context.Context, in *instance, l *look, grace time.Duration) bool {
	left, err := d.term(ctx, in, l, grace)
	if err != nil {
		return false
	}
	draining, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	a, err := d.ask(draining, in, l, control.Yielded)
	return err == nil && in.learn(l, a.State) == control.Yielded
}
