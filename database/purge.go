package database

import (
	"context"
	"fmt"
	"strings"

	"github.com/slipwayhq/slipway"
)

// Purge implements slipway.Databases.
func (p *Postgres) Purge(ctx context.Context, d slipway.DeploymentID) error {
	if err := checkID(d); err != nil {
		return err
	}
	err := p.change(ctx, false, string(d), func(s *session) error {
		all, err := s.ours(ctx, d)
		if err != nil {
			return err
		}
		if err := s.purge(ctx, d, all); err != nil {
			return err
		}
		left, err := s.ours(ctx, d)
		if err != nil || len(left) == 0 {
			return err
		}
		var names []string
		for _, f := range left {
			names = append(names, f.name)
		}
		return fmt.Errorf("after a purge there are still %s", strings.Join(names, ", "))
	})
	return unless(err, ErrNoServer)
}

// ours are the things of a deployment that this installation made.
func (s *session) ours(ctx context.Context, d slipway.DeploymentID) (ours []found, err error) {
	all, err := s.look(ctx, d)
	for _, f := range all {
		if f.ours && f.label.deployment == d {
			ours = append(ours, f)
		}
	}
	return ours, err
}

// purge removes the databases, then the logins, then who owned it all.
func (s *session) purge(ctx context.Context, d slipway.DeploymentID, ours []found) error {
	var owner string
	for _, f := range ours {
		var err error
		switch {
		case f.database:
			err = s.dropDatabase(ctx, f.name)
		case f.name == ownerName(d):
			owner = f.name
		default:
			err = s.retire(ctx, d, f.name, []found{f})
		}
		if err != nil {
			return err
		}
	}
	if owner == "" {
		return nil
	}
	return s.dropRole(ctx, owner)
}

// dropDatabase ends what is connected. A database that is being dropped takes no
// new connections.
func (s *session) dropDatabase(ctx context.Context, name string) error {
	return s.run(ctx, "DROP DATABASE IF EXISTS "+quoted(name)+" WITH (FORCE)")
}
