package docker

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/ids"
	"github.com/slipwayhq/slipway/internal/engine"
)

// Apply starts the attempt unless it, or a later one, runs or has run. An older
// attempt that runs is ended.
func (d *Driver) Apply(ctx context.Context, w slipway.Workload) (slipway.Observed, error) {
	if err := ids.Check(w.Deployment, w.Instance); err != nil {
		return slipway.Observed{}, err
	}
	if d.Engine == nil {
		return slipway.Observed{}, engine.NoEngine()
	}
	in, err := d.take(ctx, w.Deployment, w.Instance)
	if err != nil {
		return slipway.Observed{}, err
	}
	defer in.turn.leave()
	l, err := d.inspect(ctx, in)
	if err == nil && (!l.running() && !l.ended() || l.attempt < w.Attempt) {
		l, err = d.replace(ctx, in, l, w)
	}
	if err != nil {
		return slipway.Observed{}, err
	}
	return d.observe(ctx, in, l)
}

// take returns an instance, with its folder, and its turn.
func (d *Driver) take(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (*instance, error) {
	for {
		if d.alive.Err() != nil {
			return nil, errClosed
		}
		in := d.known(id, i)
		if err := in.turn.take(ctx); err != nil {
			return nil, err
		}
		if d.known(id, i) == in { // else it was deleted meanwhile
			return in, nil
		}
		in.turn.leave()
	}
}

// replace makes and starts the container of an attempt, in the place of what is
// left of an older one.
func (d *Driver) replace(ctx context.Context, in *instance, old *look, w slipway.Workload) (*look, error) {
	if err := d.clear(ctx, in, old); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(in.folder, 0o700); err != nil {
		return nil, d.explain(w, "make folder", err)
	}
	if w.Stateful {
		if err := d.keepState(ctx, w.Deployment); err != nil {
			return nil, d.explain(w, "keep state", err)
		}
	}
	if err := d.connect(ctx, w.Deployment); err != nil {
		return nil, d.explain(w, "connect container", err)
	}
	id, err := d.create(ctx, w)
	if err != nil {
		return nil, d.explain(w, "create container", err)
	}
	if _, err := d.Engine.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
		// It never ran: the next try makes another, and a death leaves that to it.
		_, _ = d.Engine.ContainerRemove(ctx, id, client.ContainerRemoveOptions{RemoveVolumes: true, Force: true})
		return nil, d.explain(w, "start container", err)
	}
	l, err := d.inspect(ctx, in)
	if l == nil && err == nil {
		err = fmt.Errorf("container %s was removed as it started", name(in.id))
	}
	return l, err
}

// clear removes the container of an older attempt, once its output is here.
func (d *Driver) clear(ctx context.Context, in *instance, old *look) (err error) {
	if old == nil {
		return nil
	}
	if old.running() {
		if old, err = d.kill(ctx, in, old); err != nil {
			return err
		}
	}
	if old.ended() {
		if err := d.drain(ctx, in, old); err != nil {
			return err
		}
	}
	return d.remove(ctx, old)
}

// explain makes failures of what the owner of the image, or of the machine, can
// do something about. The engine tells them apart in words only.
func (d *Driver) explain(w slipway.Workload, doing string, err error) error {
	switch text := err.Error(); {
	case client.IsErrConnectionFailed(err):
		return d.Engine.Explain(err)
	case doing == "create container" && errdefs.IsNotFound(err) && !strings.Contains(text, "network"):
		return failure("image_missing", fmt.Sprintf("Image %s is not in the container engine any more.", w.Image), "Deploy the revision again.")
	case strings.Contains(text, "port is already allocated"), strings.Contains(text, "address already in use"):
		return failure(slipway.PortInUse, fmt.Sprintf("Port %d is in use.", w.Port), "Stop what holds the port, or take it out of the range of ports for agents.")
	case strings.Contains(text, "no space left on device"):
		return failure("disk_full", fmt.Sprintf("The container engine's disk is full: %v.", err), "Free space in it, for example with docker image prune, then deploy again.")
	case errdefs.IsInvalidArgument(err):
		return failure("cannot_start", fmt.Sprintf("The image can not be started: %v.", err), "Try it with docker run. Its command must exist in it, for this machine's platform.")
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func failure(code, message, hint string) *slipway.Failure {
	return &slipway.Failure{Phase: slipway.PhaseDeploy, Step: "start", Code: code, Message: message, Hint: hint}
}
