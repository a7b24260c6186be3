package database

import (
	"context"
	"crypto/rand"
	"errors"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database/programs"
)

// Export implements slipway.Databases.
func (p *Postgres) Export(ctx context.Context, d slipway.DeploymentID, w io.Writer) error {
	return p.asKeeper(ctx, d, func(ctx context.Context, s *session, k keeper) error {
		args := []string{"--format=custom", "--no-owner", "--no-privileges"}
		err := s.inTime(ctx, func(ctx context.Context) error {
			foreign, err := s.foreignExtensions(ctx, d)
			if foreign {
				args = append(args, "--no-comments")
			}
			return err
		})
		if err != nil {
			return err
		}
		return s.whileAnswering(ctx, func(ctx context.Context) error { return k.run(ctx, programs.Dump, ownerName(d), args, nil, w) })
	})
}

// foreignExtensions says whether there are extensions that the owner could not
// comment on, as reading a dump with their comments would.
func (s *session) foreignExtensions(ctx context.Context, d slipway.DeploymentID) (foreign bool, err error) {
	err = s.inside(ctx, ownerName(d), func(conn *pgx.Conn) error {
		const query = "SELECT EXISTS (SELECT FROM pg_extension e JOIN pg_roles r ON r.oid = e.extowner WHERE e.extname <> 'plpgsql' AND r.rolname <> $1)"
		return conn.QueryRow(ctx, query, ownerName(d)).Scan(&foreign)
	})
	return foreign, err
}

// Import implements slipway.Databases. The dump is read into a new database, which
// then takes the place of the old one.
func (p *Postgres) Import(ctx context.Context, d slipway.DeploymentID, r io.Reader, replace func(context.Context) error) error {
	return p.asKeeper(ctx, d, func(ctx context.Context, s *session, k keeper) error {
		if err := s.clear(ctx, d, newName(d)); err != nil { // of a try before
			return err
		}
		err := s.inTime(ctx, func(ctx context.Context) error { return s.makeDatabase(ctx, d, newName(d), nil) })
		if err != nil {
			return err
		}
		args := []string{"--exit-on-error", "--no-owner", "--no-privileges"}
		err = s.whileAnswering(ctx, func(ctx context.Context) error { return k.run(ctx, programs.Restore, newName(d), args, r, nil) })
		if err == nil {
			err = replace(ctx)
		}
		if err != nil {
			cleanup, cancel := s.aside(ctx)
			defer cancel()
			return errors.Join(err, s.dropDatabase(cleanup, newName(d)))
		}
		return s.locked(ctx, string(d), func() error { return s.replace(ctx, d) })
	})
}

// clear drops a database of ours, if there is one of that name.
func (s *session) clear(ctx context.Context, d slipway.DeploymentID, name string) error {
	var f found
	var there bool
	err := s.inTime(ctx, func(ctx context.Context) error {
		all, err := s.look(ctx, d)
		f, there = pick(all, name, true)
		return err
	})
	if err != nil || !there {
		return err
	}
	if err := f.refuse(s.Place); err != nil {
		return err
	}
	return s.dropDatabase(ctx, name)
}

// replace has the new database take the place of the old one.
func (s *session) replace(ctx context.Context, d slipway.DeploymentID) error {
	if err := s.clear(ctx, d, oldName(d)); err != nil {
		return err
	}
	if err := s.inTime(ctx, func(ctx context.Context) error { return s.swap(ctx, d) }); err != nil {
		return err
	}
	return s.dropDatabase(ctx, oldName(d))
}

// swap puts the new database in the place of the old one, which nobody may be
// connected to meanwhile. Dead in between, it is done again by the next Import.
func (s *session) swap(ctx context.Context, d slipway.DeploymentID) error {
	now, old, next := quoted(ownerName(d)), quoted(oldName(d)), quoted(newName(d))
	if err := s.run(ctx, "ALTER DATABASE "+now+" ALLOW_CONNECTIONS false"); err != nil {
		return err
	}
	err := s.disconnect(ctx, "datname", ownerName(d))
	if err == nil {
		err = s.disconnect(ctx, "datname", newName(d))
	}
	if err == nil {
		err = s.occupied(ctx, s.together(ctx, "ALTER DATABASE "+now+" RENAME TO "+old, "ALTER DATABASE "+next+" RENAME TO "+now), ownerName(d))
	}
	if err != nil {
		cleanup, cancel := s.aside(ctx)
		defer cancel()
		err = errors.Join(err, s.run(cleanup, "ALTER DATABASE "+now+" ALLOW_CONNECTIONS true"))
	}
	return err
}

// keeper is a login of a deployment for one dump.
type keeper struct {
	name, password string
	at             Endpoint
	programs       programs.Programs
}

// asKeeper does something by a login that there is only meanwhile. One dump of a
// deployment is written or read at a time; its other calls do not wait for it.
func (p *Postgres) asKeeper(ctx context.Context, d slipway.DeploymentID, do func(context.Context, *session, keeper) error) error {
	var major int
	err := p.there(ctx, d, func(_ context.Context, s *session) error {
		major = s.major
		return nil
	})
	if err != nil {
		return err
	}
	found, err := p.config.Programs.Find(ctx, programs.Clients(major))
	if err != nil {
		return err
	}
	return p.atLength(ctx, false, func(ctx context.Context, s *session) error {
		return s.locked(ctx, "dump/"+string(d), func() error {
			k := keeper{keeperName(d), rand.Text(), s.Endpoint, found}
			if err := s.inTime(ctx, func(ctx context.Context) error { return s.admit(ctx, d, k) }); err != nil {
				return err
			}
			err := do(ctx, s, k)
			cleanup, cancel := s.aside(ctx)
			defer cancel()
			return errors.Join(err, s.dismiss(cleanup, d))
		})
	})
}

func (s *session) admit(ctx context.Context, d slipway.DeploymentID, k keeper) error {
	secret, err := verifier(k.password)
	if err != nil {
		return err
	}
	all, err := s.look(ctx, d)
	if err != nil {
		return err
	}
	if f, there := pick(all, k.name, false); there {
		if err := f.refuse(s.Place); err != nil {
			return err
		}
	}
	return s.makeLogin(ctx, d, k.name, secret, all)
}

func (s *session) dismiss(ctx context.Context, d slipway.DeploymentID) error {
	all, err := s.look(ctx, d)
	if err != nil {
		return err
	}
	return s.retire(ctx, d, keeperName(d), all)
}
