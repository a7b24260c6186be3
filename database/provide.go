package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/slipwayhq/slipway"
)

// Provide implements slipway.Databases.
func (p *Postgres) Provide(ctx context.Context, r slipway.DatabaseRequest) (uri string, err error) {
	d := r.Deployment
	if err := checkID(d); err != nil {
		return "", err
	}
	if r.Login.Number < 1 {
		return "", fmt.Errorf("login %d: they are numbered from 1 on", r.Login.Number)
	}
	secret, err := verifier(r.Login.Password)
	if err != nil {
		return "", err
	}
	to, err := p.agents(ctx, r)
	if err == nil {
		err = p.change(ctx, !r.Made, string(d), func(ctx context.Context, s *session) error { return s.provide(ctx, r, secret) })
	}
	switch {
	case errors.Is(err, ErrNoServer): // which there was
		return "", slipway.ErrDatabaseGone
	case err != nil:
		return "", err
	}
	return address(to, loginName(d, r.Login.Number), r.Login.Password, ownerName(d)), nil
}

// agents returns where the agents of a request are told that the server is.
func (p *Postgres) agents(ctx context.Context, r slipway.DatabaseRequest) (*url.URL, error) {
	e, err := p.config.Server.Endpoint(ctx, !r.Made)
	if err != nil || !r.Contained {
		return e.Agents, err
	}
	return p.config.Server.Contained(ctx)
}

func (s *session) provide(ctx context.Context, r slipway.DatabaseRequest, secret string) error {
	d := r.Deployment
	all, err := s.look(ctx, d)
	if err != nil {
		return err
	}
	login := loginName(d, r.Login.Number)
	for _, f := range all {
		if f.name == ownerName(d) || f.name == login && !f.database {
			if err := f.refuse(s.Place); err != nil {
				return err
			}
		}
	}
	if _, there := pick(all, ownerName(d), true); r.Made && !there {
		return slipway.ErrDatabaseGone
	}
	if err := s.makeOwner(ctx, d, all); err != nil {
		return err
	}
	if err := s.makeDatabase(ctx, d, ownerName(d), all); err != nil {
		return err
	}
	return s.makeLogin(ctx, d, login, secret, all)
}

func (s *session) makeOwner(ctx context.Context, d slipway.DeploymentID, all []found) error {
	name := ownerName(d)
	if _, there := pick(all, name, false); there {
		return nil
	}
	return s.together(ctx, append([]string{
		"CREATE ROLE " + quoted(name) + " NOLOGIN",
		s.comment("ROLE", name, d),
	}, s.join(name)...)...)
}

// join makes the administrator a member of a role, without which one who is no
// superuser may not act on what it owns.
func (s *session) join(role string) []string {
	if s.super {
		return nil
	}
	return []string{"GRANT " + quoted(role) + " TO CURRENT_USER"}
}

func (s *session) comment(kind, name string, d slipway.DeploymentID) string {
	return fmt.Sprintf("COMMENT ON %s %s IS %s", kind, quoted(name), literal(s.label(d).String()))
}

// makeDatabase makes a database, or finishes one. Nobody connects to it before
// PUBLIC has lost the right; the comment comes last.
func (s *session) makeDatabase(ctx context.Context, d slipway.DeploymentID, name string, all []found) error {
	f, there := pick(all, name, true)
	if !there {
		err := s.run(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s ENCODING 'UTF8' TEMPLATE template0 ALLOW_CONNECTIONS false", quoted(name), quoted(ownerName(d))))
		if err != nil {
			return err
		}
	}
	if !f.open || !f.marked {
		err := s.run(ctx,
			"REVOKE ALL ON DATABASE "+quoted(name)+" FROM PUBLIC",
			"ALTER DATABASE "+quoted(name)+" ALLOW_CONNECTIONS true",
			s.comment("DATABASE", name, d),
		)
		if err != nil {
			return err
		}
	}
	return s.extend(ctx, name)
}

// extend makes the extensions that the server has, and of which it lets us. An
// agent that needs another says so itself.
func (s *session) extend(ctx context.Context, name string) error {
	var available []string
	const query = "SELECT name FROM pg_available_extensions WHERE name = ANY ($1) ORDER BY name"
	rows, err := s.QueryContext(ctx, query, s.config.Extensions)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var extension string
		if err := rows.Scan(&extension); err != nil {
			return err
		}
		available = append(available, extension)
	}
	if err := rows.Err(); err != nil || len(available) == 0 {
		return err
	}
	return s.inside(ctx, name, func(conn *pgx.Conn) error {
		for _, extension := range available {
			_, err := conn.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS "+quoted(extension))
			switch {
			case slices.Contains([]string{noRight, notSupported, noFile}, stateOf(err)):
				s.config.Logger.Warn("an extension can not be made", slog.String("database", name), slog.String("extension", extension), slog.Any("error", err))
			case err != nil:
				return err
			}
		}
		return nil
	})
}

// makeLogin makes a login, or sets the password of one. It acts as the owner from
// its first statement on.
func (s *session) makeLogin(ctx context.Context, d slipway.DeploymentID, name, secret string, all []found) error {
	options := fmt.Sprintf("LOGIN CONNECTION LIMIT %d PASSWORD %s", s.config.Connections, literal(secret))
	if _, there := pick(all, name, false); there {
		return s.run(ctx, "ALTER ROLE "+quoted(name)+" "+options)
	}
	return s.together(ctx, append([]string{
		"CREATE ROLE " + quoted(name) + " " + options,
		"GRANT " + quoted(ownerName(d)) + " TO " + quoted(name),
		"ALTER ROLE " + quoted(name) + " SET role = " + literal(ownerName(d)),
		s.comment("ROLE", name, d),
	}, s.join(name)...)...)
}
