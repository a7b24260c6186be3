package leftover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipwayhq/slipway"
)

// Place is where things of deployments are.
type Place interface {
	// Remains lists what there is of this installation. With an error it may be
	// less than all.
	Remains(ctx context.Context) ([]slipway.Thing, error)
	// Remove removes what there is of a deployment or, if that is "", one thing
	// that deployments share.
	Remove(ctx context.Context, d slipway.DeploymentID, things []slipway.Thing) error
}

// Builder is where bundles and images are.
type Builder interface {
	Remains(ctx context.Context) ([]slipway.Thing, error)
	RemoveUnless(ctx context.Context, kind slipway.ItemKind, ref string, shared func() (bool, error)) (removed bool, err error)
}

// Driver is the part of slipway.Driver that is asked for here.
type Driver interface {
	Remains(ctx context.Context, d slipway.DeploymentID) ([]slipway.Thing, error)
	Stop(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error
	Delete(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID) error
	Purge(ctx context.Context, d slipway.DeploymentID) error
}

// OfDriver is what a driver runs and keeps.
func OfDriver(d Driver) Place { return driverPlace{d} }

type driverPlace struct{ driver Driver }

func (p driverPlace) Remains(ctx context.Context) ([]slipway.Thing, error) {
	return p.driver.Remains(ctx, "")
}

// stopWithin is the grace of what nobody knows.
const stopWithin = 10 * time.Second

func (p driverPlace) Remove(ctx context.Context, d slipway.DeploymentID, things []slipway.Thing) error {
	if d == "" {
		return errors.New("whose it was is not known: it goes when the server starts anew")
	}
	var errs []error
	done := map[string]bool{}
	for _, t := range things {
		if t.Kind != slipway.ItemInstance || done[t.Ref] {
			continue
		}
		done[t.Ref] = true
		i := slipway.InstanceID(t.Ref)
		err := p.driver.Stop(ctx, d, i, stopWithin)
		if err == nil {
			err = p.driver.Delete(ctx, d, i)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, p.driver.Purge(ctx, d))...)
}

// OfBuilder is what a builder has made.
func OfBuilder(b Builder, s Store) Place { return builderPlace{b, s} }

type builderPlace struct {
	builder Builder
	store   Store
}

func (p builderPlace) Remains(ctx context.Context) ([]slipway.Thing, error) {
	return p.builder.Remains(ctx)
}

// Remove asks again whether somebody needs it, in a moment when nobody can come
// to.
func (p builderPlace) Remove(ctx context.Context, _ slipway.DeploymentID, things []slipway.Thing) error {
	for _, t := range things {
		removed, err := p.builder.RemoveUnless(ctx, t.Kind, t.Ref, func() (bool, error) {
			unknown, err := p.store.Unknown(ctx, []slipway.Thing{t})
			return len(unknown) == 0, err
		})
		if err == nil && !removed {
			err = errors.New("it is needed again")
		}
		if err != nil {
			return fmt.Errorf("remove %s: %w", t.What, err)
		}
	}
	return nil
}
