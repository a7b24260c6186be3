package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/control"
	"github.com/slipwayhq/slipway/driver/internal/reason"
)

// Inspect looks at one instance. One whose container never ran is absent.
func (d *Driver) Inspect(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (slipway.Observed, error) {
	in, err := d.find(id, i)
	if in == nil || err != nil {
		return absent(id, i), err
	}
	l, err := d.inspect(ctx, in)
	if err != nil {
		return slipway.Observed{}, err
	}
	o, err := d.observe(ctx, in, l)
	if err == nil && o.Phase == slipway.PhaseRunning {
		standing := d.standing(ctx, in, l)
		o.StandsBy, o.Yielded = standing == control.StandingBy, standing == control.Yielded
	}
	return o, err
}

func absent(id slipway.DeploymentID, i slipway.InstanceID) slipway.Observed {
	return slipway.Observed{Instance: i, Deployment: id, Phase: slipway.PhaseAbsent}
}

// observe tells of a container, and has its output copied: while it runs from
// now on, of one that has ended before its last lines are quoted.
func (d *Driver) observe(ctx context.Context, in *instance, l *look) (slipway.Observed, error) {
	o := absent(in.deployment, in.id)
	switch {
	case l.running():
		o.Phase, o.Attempt, o.Address = slipway.PhaseRunning, l.attempt, l.address()
		d.follow(in, l)
	case l.ended():
		if err := d.drain(ctx, in, l); err != nil {
			return slipway.Observed{}, err
		}
		o.Phase, o.Attempt, o.Exit = slipway.PhaseExited, l.attempt, in.exit(l, d.outOfMemory(ctx, l))
	}
	return o, nil
}

// exit says how a container ended. An engine tells of a signal as shells do, by
// a code above 128.
func (in *instance) exit(l *look, outOfMemory bool) *slipway.Exit {
	e := &slipway.Exit{Code: l.state.ExitCode, At: l.finished(), OutOfMemory: outOfMemory}
	if e.Code > 128 {
		e.Signal = unix.SignalName(unix.Signal(e.Code - 128))
	}
	e.Reason = cmp.Or(reason.LastLines(in.output.path(), in.output.began(l.attempt), l.secrets), l.state.Error, "It wrote nothing.")
	if why := in.endedForDisk(l); why != "" {
		e.OutOfDisk, e.Reason = true, why+"\n"+e.Reason
	}
	if outOfMemory {
		e.Reason = "It ran out of memory" + l.memoryLimit() + ".\n" + e.Reason
	}
	return e
}

// endedForDisk says why we ended a container for what it kept, "" if we did not.
func (in *instance) endedForDisk(l *look) string {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.overDisk != l.id {
		return ""
	}
	return in.whyOverDisk
}

// memoryLimit says what a container may have, if that is limited.
func (l *look) memoryLimit() string {
	if l.memory == 0 {
		return ""
	}
	return fmt.Sprintf(": it may use %d MB", l.memory>>20)
}

// List returns every instance in the order of ids: all that have a container,
// and as absent those of which only a folder is left.
func (d *Driver) List(ctx context.Context) ([]slipway.Observed, error) {
	list, err := d.folders("")
	if err != nil || d.Engine == nil {
		return list, err
	}
	found, err := d.containers(ctx)
	if err != nil {
		return nil, err
	}
	for _, in := range found {
		list = slices.DeleteFunc(list, func(o slipway.Observed) bool { return o.Instance == in.id })
		l, err := d.inspect(ctx, in)
		if err != nil {
			return nil, err
		}
		o, err := d.observe(ctx, in, l)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b slipway.Observed) int { return cmp.Compare(a.Instance, b.Instance) })
	return list, nil
}

// containers lists the instances that have a container.
func (d *Driver) containers(ctx context.Context) ([]*instance, error) {
	found, err := d.Engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: d.ours()})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", d.Engine.Explain(err))
	}
	var list []*instance
	for _, c := range found.Items {
		list = append(list, d.known(slipway.DeploymentID(c.Labels[labelDeployment]), slipway.InstanceID(c.Labels[labelInstance])))
	}
	return list, nil
}

func (d *Driver) ours() client.Filters {
	return make(client.Filters).Add("label", labelOwner+"="+d.Owner)
}

// Output reads what was copied so far. Offsets name the same bytes for ever, and
// an *slipway.OutputGap says which are not kept. Behind the end, and where nothing was printed, it returns nothing.
func (d *Driver) Output(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, offset int64, limit int) ([]byte, error) {
	in, err := d.find(id, i)
	if in == nil || err != nil || ctx.Err() != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	return in.output.read(offset, limit)
}

// Trim gives back the space of what was printed before an offset.
func (d *Driver) Trim(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, before int64) error {
	if in, err := d.find(id, i); in == nil || err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	return d.known(id, i).output.trim(before)
}
