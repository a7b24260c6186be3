package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/engine"
)

// Stop asks a container to drain, once in its life, and kills it when the grace,
// counted from then, is over. If ctx ends first, it goes on draining.
func (d *Driver) Stop(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	in, err := d.findAny(ctx, id, i)
	if in == nil || err != nil {
		return err
	}
	for {
		l, err := d.inspect(ctx, in)
		if err != nil || !l.running() {
			return err
		}
		left, err := d.term(ctx, in, l, grace)
		if err != nil {
			return err
		}
		draining, cancel := context.WithTimeout(ctx, left)
		err = d.wait(draining, l)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			_, err = d.kill(ctx, in, l)
		}
		if err != nil {
			return err
		}
	}
}

const (
	termFile = "term.json"
	// askWithin is how long an engine may take to pass a signal on.
	askWithin = 10 * time.Second
)

// asked is what it holds: who was asked to end, and when.
type asked struct {
	Container string    `json:"container"`
	At        time.Time `json:"at"`
	Unsent    bool      `json:"unsent,omitempty"` // it may not have been: that is not known yet
}

// isAsked says whether a container was asked to end, or may have been.
func (in *instance) isAsked(l *look) bool { return in.asked(l).Container != "" }

// asked is when a container was asked to end, zero if it was not.
func (in *instance) asked(l *look) (a asked) {
	text, err := os.ReadFile(filepath.Join(in.folder, termFile))
	if err != nil || json.Unmarshal(text, &a) != nil || a.Container != l.id {
		return asked{}
	}
	return a
}

// term asks a container to end, unless it is known to have been asked, and returns
// what is left of its grace. That it is asked is written down first, and then that it
// was: a second signal may cut the draining short, so it is sent only where the server
// died as it sent the first, or the engine did not say that it passed it on. Then the
// grace begins anew.
func (d *Driver) term(ctx context.Context, in *instance, l *look, grace time.Duration) (time.Duration, error) {
	if err := in.turn.take(ctx); err != nil {
		return 0, err
	}
	defer in.turn.leave()
	if a := in.asked(l); a.Container != "" && !a.Unsent {
		return min(grace, time.Until(a.At.Add(grace))), nil
	}
	now := asked{Container: l.id, At: time.Now(), Unsent: true}
	d.noteAsked(in, now)
	// What is written down is done, whoever does not wait for it any more.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), askWithin)
	defer cancel()
	_, err := d.Engine.ContainerKill(sending, l.id, client.ContainerKillOptions{Signal: cmp.Or(l.stopSignal, "SIGTERM")})
	if err = d.unlessEnded("ask container to end", err); err == nil {
		now.Unsent = false
		d.noteAsked(in, now)
	}
	return grace, err
}

// noteAsked writes down that a container is asked to end. A full disk must not keep
// it alive.
func (d *Driver) noteAsked(in *instance, a asked) {
	path := filepath.Join(in.folder, termFile)
	text, err := json.Marshal(a)
	if err == nil {
		err = os.WriteFile(path+".next", text, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".next", path)
	}
	if err != nil {
		d.Logger.Warn("a stop could not be written down", "instance", in.id, "error", err)
	}
}

// unlessEnded passes over that a container ended or went before something was
// done to it.
func (d *Driver) unlessEnded(doing string, err error) error {
	if err == nil || engine.NotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, d.Engine.Explain(err))
}

// kill ends a container at once, and returns how it looks then.
func (d *Driver) kill(ctx context.Context, in *instance, l *look) (*look, error) {
	_, err := d.Engine.ContainerKill(ctx, l.id, client.ContainerKillOptions{Signal: "SIGKILL"})
	if err := d.unlessEnded("kill container", err); err != nil {
		return nil, err
	}
	if err := d.wait(ctx, l); err != nil {
		return nil, err
	}
	return d.inspect(ctx, in)
}

// wait returns when nothing of a container runs.
func (d *Driver) wait(ctx context.Context, l *look) error {
	wait := d.Engine.ContainerWait(ctx, l.id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case <-wait.Result:
		return nil
	case err := <-wait.Error:
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return d.unlessEnded("wait for container", err)
	case <-d.alive.Done():
		return errClosed
	}
}
