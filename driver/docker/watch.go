package docker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/internal/engine"
)

// again is how long the engine is left alone that did not answer.
const again = time.Second

// watch tells of ends until the driver is closed. Whenever the engine answers
// again, all that it holds is looked at: ends may have been missed.
func (d *Driver) watch() {
	said := false // that the engine does not answer
	for d.alive.Err() == nil {
		err := d.watchOnce(func() { said = false })
		if d.alive.Err() != nil {
			return
		}
		if !said {
			d.Logger.Warn("containers are not watched, it is tried again", slog.Any("error", err))
		}
		said = true
		pause(d.alive, again)
	}
}

// watchOnce listens to the engine until that breaks.
func (d *Driver) watchOnce(connected func()) error {
	ctx, cancel := context.WithCancel(d.alive)
	defer cancel()
	events := d.Engine.Events(ctx, client.EventsListOptions{
		Since:   stamp(time.Now().Add(-time.Second)), // the engine answers just before it listens
		Filters: d.told(),
	})
	if err := d.lookAtAll(ctx); err != nil {
		return err
	}
	connected()
	for {
		select {
		case e := <-events.Messages:
			d.happened(e)
		case err := <-events.Err:
			return fmt.Errorf("listen to the engine: %w", d.Engine.Explain(err))
		}
	}
}

// lookAtAll has the output of all that runs copied, and tells of all that ended.
func (d *Driver) lookAtAll(ctx context.Context) error {
	found, err := d.containers(ctx)
	if err != nil {
		return err
	}
	for _, in := range found {
		switch l, err := d.inspect(ctx, in); {
		case err != nil:
			return err
		case l.running():
			if err := os.MkdirAll(in.folder, 0o700); err != nil { // it may have been lost
				return err
			}
			d.follow(in, l)
		default:
			d.exits.Send(in.deployment)
		}
	}
	return d.sweepNetworks(ctx)
}

// follower copies the output of one container.
type follower struct {
	container string
	cancel    context.CancelFunc
	done      chan struct{}
}

// follow has the output of a running container copied, unless it is already.
func (d *Driver) follow(in *instance, l *look) {
	d.mu.Lock() // Close waits for all that began before it
	defer d.mu.Unlock()
	in.mu.Lock()
	defer in.mu.Unlock()
	if d.alive.Err() != nil || in.drained == l.id || in.follower != nil && in.follower.container == l.id {
		return
	}
	ctx, cancel := context.WithCancel(d.alive)
	f := &follower{container: l.id, cancel: cancel, done: make(chan struct{})}
	in.follower = f
	d.running.Go(func() {
		defer close(f.done)
		defer cancel()
		for ctx.Err() == nil && !d.copyAll(ctx, in, l) {
			pause(ctx, again)
		}
	})
}

// copyAll says whether all was copied: an engine that stops ends the stream of a
// container that runs on.
func (d *Driver) copyAll(ctx context.Context, in *instance, l *look) bool {
	if err := d.copy(ctx, in, l, true); err != nil {
		return false
	}
	now, err := d.inspect(ctx, in)
	return err == nil && !(now.running() && now.id == l.id)
}

// unfollow ends the copying.
func (in *instance) unfollow() {
	in.mu.Lock()
	f := in.follower
	in.mu.Unlock()
	if f != nil {
		f.cancel()
		<-f.done
	}
}

// drain copies what an ended container printed last. What the engine can not
// read any more is passed over.
func (d *Driver) drain(ctx context.Context, in *instance, l *look) error {
	in.mu.Lock()
	done := in.drained == l.id
	in.mu.Unlock()
	if done {
		return nil
	}
	in.unfollow()
	err := d.copy(ctx, in, l, false)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case client.IsErrConnectionFailed(err):
		return d.Engine.Explain(err)
	case err != nil:
		d.Logger.Warn("output of a container is lost", slog.String("instance", string(in.id)), slog.Any("error", err))
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.drained = l.id
	return nil
}

// copy copies what a container prints, from the mark on: until now, or until it
// ends. A container that is gone prints nothing more.
func (d *Driver) copy(ctx context.Context, in *instance, l *look, follow bool) error {
	if err := in.copying.take(ctx); err != nil {
		return err
	}
	defer in.copying.leave()
	since, err := in.output.begin(l.attempt)
	if err != nil {
		return err
	}
	logs, err := d.Engine.ContainerLogs(ctx, l.id, client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: follow, Since: since,
	})
	if engine.NotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read output of container: %w", err)
	}
	defer logs.Close()
	return in.output.copy(logs)
}

func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
