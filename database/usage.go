package database

import (
	"context"
	"errors"

	"github.com/slipwayhq/slipway"
)

// Usage implements slipway.Databases.
func (p *Postgres) Usage(ctx context.Context, d slipway.DeploymentID) (slipway.DatabaseUsage, error) {
	var u slipway.DatabaseUsage
	err := p.there(ctx, d, func(ctx context.Context, s *session) (err error) {
		u, err = s.usage(ctx, d)
		return err
	})
	return u, err
}

// there does something in a session for a database that is there.
func (p *Postgres) there(ctx context.Context, d slipway.DeploymentID, do func(context.Context, *session) error) error {
	if err := checkID(d); err != nil {
		return err
	}
	err := p.within(ctx, false, func(ctx context.Context, s *session) error {
		all, err := s.look(ctx, d)
		if err != nil {
			return err
		}
		if f, there := pick(all, ownerName(d), true); !there || !f.ours {
			return slipway.ErrDatabaseGone
		}
		err = do(ctx, s)
		if stateOf(err) == noDatabase { // it went meanwhile
			err = slipway.ErrDatabaseGone
		}
		return err
	})
	if errors.Is(err, ErrNoServer) {
		err = slipway.ErrDatabaseGone
	}
	return err
}

func (s *session) usage(ctx context.Context, d slipway.DeploymentID) (u slipway.DatabaseUsage, err error) {
	const query = "SELECT pg_database_size($1), (SELECT count(*) FROM pg_stat_activity WHERE datname = $1)"
	if err = s.QueryRowContext(ctx, query, ownerName(d)).Scan(&u.Bytes, &u.Connections); err == nil {
		u.Full, err = s.held(ctx, d)
	}
	return u, err
}

// Enforce measures a database and holds it to the quota: one that is over it takes
// no changes until it is a tenth below, by deletions that have been vacuumed or by
// a larger quota. What is connected when that changes is cut, and comes again.
// It is to be called now and then.
func (p *Postgres) Enforce(ctx context.Context, d slipway.DeploymentID) (u slipway.DatabaseUsage, err error) {
	err = p.there(ctx, d, func(ctx context.Context, s *session) error {
		if u, err = s.usage(ctx, d); err != nil {
			return err
		}
		if want := over(u.Bytes, p.config.Quota, u.Full); want != u.Full {
			u.Full = want
			return s.hold(ctx, d, want)
		}
		return nil
	})
	return u, err
}

// over decides with some slack, so that a database at the limit does not go back
// and forth.
func over(bytes, quota int64, held bool) bool {
	switch {
	case quota <= 0:
		return false
	case held:
		return bytes > quota-quota/10
	}
	return bytes > quota
}

// setting has new sessions begin with transactions that read only.
const setting = "default_transaction_read_only"

func (s *session) held(ctx context.Context, d slipway.DeploymentID) (held bool, err error) {
	const query = `SELECT EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
		WHERE d.datname = $1 AND s.setrole = 0 AND $2 = ANY (s.setconfig))`
	err = s.QueryRowContext(ctx, query, ownerName(d), setting+"=on").Scan(&held)
	return held, err
}

func (s *session) hold(ctx context.Context, d slipway.DeploymentID, full bool) error {
	change := " RESET " + setting
	if full {
		change = " SET " + setting + " = on"
	}
	if err := s.run(ctx, "ALTER DATABASE "+quoted(ownerName(d))+change); err != nil {
		return err
	}
	_, err := s.ExecContext(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = $1", ownerName(d))
	return err
}
