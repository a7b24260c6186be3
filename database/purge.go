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
	err := p.atLength(ctx, false, func(ctx context.Context, s *session) error {
		return s.locked(ctx, string(d), func() error { return s.purge(ctx, d) })
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

// purge removes the databases, then the logins, then who owned it all, and looks
// again.
func (s *session) purge(ctx context.Context, d slipway.DeploymentID) error {
	var ours []found
	err := s.inTime(ctx, func(ctx context.Context) (err error) {
		ours, err = s.ours(ctx, d)
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range ours {
		if !f.database {
			continue
		}
		if err := s.dropDatabase(ctx, f.name); err != nil {
			return err
		}
	}
	return s.inTime(ctx, func(ctx context.Context) error { return s.purgeRoles(ctx, d) })
}

// purgeRoles removes what is left beside databases: there is none any more.
func (s *session) purgeRoles(ctx context.Context, d slipway.DeploymentID) error {
	ours, err := s.ours(ctx, d)
	if err != nil {
		return err
	}
	owner := ""
	for _, f := range ours {
		switch {
		case f.database:
		case f.name == ownerName(d):
			owner = f.name
		default:
			err = s.retire(ctx, d, f.name, []found{f})
		}
		if err != nil {
			return err
		}
	}
	if owner != "" {
		if err := s.dropRole(ctx, owner); err != nil {
			return err
		}
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
}

// dropDatabase ends what is connected. A database that is being dropped takes no
// new connections.
func (s *session) dropDatabase(ctx context.Context, name string) error {
	return before(ctx, dropPatience*s.config.Patience, func(ctx context.Context) error {
		return s.occupied(ctx, s.run(ctx, "DROP DATABASE IF EXISTS "+quoted(name)+" WITH (FORCE)"), name)
	})
}
