package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipwayhq/slipway"
)

// literal is a text in a statement that takes no parameters.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// unless leaves out an error that is none here.
func unless(err, none error) error {
	if errors.Is(err, none) {
		return nil
	}
	return err
}

// Logins implements slipway.Databases.
func (p *Postgres) Logins(ctx context.Context, d slipway.DeploymentID) ([]int, error) {
	if err := checkID(d); err != nil {
		return nil, err
	}
	var numbers []int
	err := p.within(ctx, false, func(ctx context.Context, s *session) error {
		all, err := s.look(ctx, d)
		for _, f := range all {
			if n := loginNumber(d, f.name); f.ours && !f.database && n > 0 {
				numbers = append(numbers, n)
			}
		}
		return err
	})
	slices.Sort(numbers)
	return numbers, unless(err, ErrNoServer)
}

// Retire implements slipway.Databases.
func (p *Postgres) Retire(ctx context.Context, d slipway.DeploymentID, number int) error {
	if err := checkID(d); err != nil {
		return err
	}
	err := p.change(ctx, false, string(d), func(ctx context.Context, s *session) error {
		all, err := s.look(ctx, d)
		if err != nil {
			return err
		}
		return s.retire(ctx, d, loginName(d, number), all)
	})
	return unless(err, ErrNoServer)
}

// retire removes a login. What it made when it did not act as the owner becomes
// the owner's.
func (s *session) retire(ctx context.Context, d slipway.DeploymentID, login string, all []found) error {
	if f, there := pick(all, login, false); !there || !f.ours {
		return nil
	}
	if err := s.run(ctx, "ALTER ROLE "+quoted(login)+" NOLOGIN"); err != nil {
		return err
	}
	if err := s.disconnect(ctx, "usename", login); err != nil {
		return err
	}
	if f, there := pick(all, ownerName(d), true); there && f.ours && f.open {
		err := s.inside(ctx, f.name, func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, fmt.Sprintf("REASSIGN OWNED BY %s TO %s", quoted(login), quoted(ownerName(d))))
			if err == nil {
				_, err = conn.Exec(ctx, "DROP OWNED BY "+quoted(login))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return s.dropRole(ctx, login)
}

// dropRole removes a role with what it has in the administrator's database, in
// which everybody may make things on some servers.
func (s *session) dropRole(ctx context.Context, role string) error {
	return s.run(ctx, "DROP OWNED BY "+quoted(role), "DROP ROLE "+quoted(role))
}

// lookAgain is how often it is looked whether connections have ended.
const lookAgain = 10 * time.Millisecond

// disconnect ends what is connected, by a column of pg_stat_activity, and waits
// for its end. Who may connect again must have lost the right before.
func (s *session) disconnect(ctx context.Context, column, value string) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		var left int
		query := "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'client backend' AND " + column + " = $1"
		if err := s.QueryRowContext(ctx, query, value).Scan(&left); err != nil || left == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
