package leftover

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/slipwayhq/slipway"
)

// Databases is the part of slipway.Databases that is asked for here.
type Databases interface {
	Remains(ctx context.Context, d slipway.DeploymentID) ([]slipway.Thing, error)
	Purge(ctx context.Context, d slipway.DeploymentID) error
}

// OfDatabases is what deployments have in PostgreSQL.
func OfDatabases(d Databases) Place { return databasePlace{d} }

type databasePlace struct{ databases Databases }

func (p databasePlace) Remains(ctx context.Context) ([]slipway.Thing, error) {
	return p.databases.Remains(ctx, "")
}

func (p databasePlace) Remove(ctx context.Context, d slipway.DeploymentID, _ []slipway.Thing) error {
	if d == "" {
		return errors.New("of databases nothing is shared")
	}
	return p.databases.Purge(ctx, d)
}

// Numbers is a Redis that deployments share.
type Numbers interface {
	Remains(ctx context.Context, d slipway.DeploymentID) ([]slipway.Thing, error)
	Purge(ctx context.Context, d slipway.DeploymentID, number int) error
}

// OfRedis is what deployments have there.
func OfRedis(n Numbers) Place { return redisPlace{n} }

type redisPlace struct{ numbers Numbers }

func (p redisPlace) Remains(ctx context.Context) ([]slipway.Thing, error) {
	return p.numbers.Remains(ctx, "")
}

func (p redisPlace) Remove(ctx context.Context, d slipway.DeploymentID, things []slipway.Thing) error {
	var errs []error
	for _, t := range things {
		number, err := strconv.Atoi(t.Ref)
		if err != nil {
			return fmt.Errorf("number of %s: %w", t.What, err)
		}
		errs = append(errs, p.numbers.Purge(ctx, d, number))
	}
	return errors.Join(errs...)
}
