package process

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/control"
)

// Yield sends SIGTERM as Stop does, and returns as soon as the agent says that its
// state is closed. One that does not say is stopped.
func (d *Driver) Yield(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	in, err := d.find(id, i)
	if err != nil {
		return err
	}
	if in != nil {
		if r := in.current(); r != nil && d.yields(ctx, in, r, grace) {
			return nil
		}
	}
	return d.Stop(ctx, id, i, grace)
}

// yields has one attempt drain, and says whether it is heard to have yielded. Who
// ends without a word hangs up.
func (d *Driver) yields(ctx context.Context, in *instance, r *run, grace time.Duration) bool {
	draining, cancel := context.WithTimeout(ctx, d.term(in, r, grace))
	defer cancel()
	a, err := in.await(draining, control.Yielded)
	return err == nil && in.learn(r, a.State) == control.Yielded
}

// Stop sends SIGTERM to the main process, once in the life of an attempt, and
// SIGKILL to everything of the instance when the grace, counted from then, is
// over. If ctx ends first, the agent goes on draining.
func (d *Driver) Stop(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	in, err := d.find(id, i)
	if err != nil {
		return err
	}
	if in == nil {
		return d.endStrays(ctx, id, i)
	}
	for {
		for r := in.current(); r != nil; r = in.current() {
			if err := d.end(ctx, in, r, grace); err != nil {
				return err
			}
		}
		if err := in.lock(ctx); err != nil {
			return err
		}
		if in.current() == nil {
			defer in.unlock()
			return d.clean(ctx, in)
		}
		in.unlock() // started under us
	}
}

// endStrays ends what has the marks of an instance that is not known, since its
// folder went while it ran or it was deleted before they came. What was asked to
// end once has no claim to grace.
func (d *Driver) endStrays(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) error {
	in := newInstance(id, i, d.instanceFolder(id, i))
	return d.killLeft(ctx, in, nil)
}

// end lets one attempt drain, then kills it.
func (d *Driver) end(ctx context.Context, in *instance, r *run, grace time.Duration) error {
	draining, cancel := context.WithTimeout(ctx, d.term(in, r, grace))
	defer cancel()
	if d.await(draining, r) == nil {
		return nil
	}
	if err := errors.Join(ctx.Err(), d.checkOpen()); err != nil {
		return err
	}
	return d.killAndWait(ctx, r)
}

func (d *Driver) killAndWait(ctx context.Context, r *run) error {
	r.kill()
	d.at(StepStopKilled)
	return d.await(ctx, r)
}

// await waits until the end of an attempt is recorded.
func (d *Driver) await(ctx context.Context, r *run) error {
	select {
	case <-r.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.alive.Done():
		return errClosed
	}
}

// term asks an attempt to drain, unless it is known to have been asked, and returns
// what is left of its grace.
func (d *Driver) term(in *instance, r *run, grace time.Duration) time.Duration {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.run != r {
		return 0 // it has just ended
	}
	if !in.state.TermAt.IsZero() && !in.state.Unsent {
		return min(grace, time.Until(in.state.TermAt.Add(grace)))
	}
	in.noteTerm(time.Now(), true, d.at)
	d.at(StepStopRecorded)
	r.askToEnd()
	d.at(StepStopSignalled)
	in.noteTerm(in.state.TermAt, false, d.at)
	return grace
}

// noteTerm writes down that an attempt is asked to end. A full disk must not keep it
// alive. The lock is held.
func (in *instance) noteTerm(asked time.Time, unsent bool, at func(string)) {
	s := in.state
	s.TermAt, s.Unsent = asked, unsent
	if err := in.recordLocked(s, at); err != nil {
		slog.Warn("a stop could not be written down", "instance", in.id, "error", err)
		in.state = s
	}
}

// askToEnd lets a halted process go on, or it could not drain. Whether it is
// halted is not asked: a stop may be on its way to it.
func (r *run) askToEnd() {
	_ = r.signal(unix.SIGTERM)
	_ = r.signal(unix.SIGCONT)
}
