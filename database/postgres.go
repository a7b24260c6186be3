package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database/programs"
)

const (
	// connections of ours to a server, and how many of them are kept unused how
	// long. A dump has one as long as it takes.
	connections = 16
	idle        = 4
	idleFor     = time.Minute
	// defaultLimit of connections of a login is PostgreSQL's own of a whole server.
	defaultLimit = 100
	// patience is for a server that says nothing: one that is stopped, or behind a
	// network that swallows. A database that is large takes a while to be dropped.
	patience     = 30 * time.Second
	dropPatience = 20 // times as long
)

// Config is how databases are kept.
type Config struct {
	Owner       string // the installation
	Server      Server
	Connections int             // that a login may have; 0 for 100
	Quota       int64           // bytes that a database may have; 0 for any number
	Extensions  []string        // made in each database where the server has them; nil for vector
	Patience    time.Duration   // with a server that does not answer; 0 for 30 s
	Programs    programs.Finder // which write and read dumps
	Logger      *slog.Logger
}

// Postgres keeps databases on one server. See slipway.Databases.
type Postgres struct {
	config Config

	mu     sync.Mutex
	pool   *sql.DB // nil until the server is reached
	closed bool
}

var _ slipway.Databases = (*Postgres)(nil)

// New reaches for nothing yet.
func New(config Config) *Postgres {
	config.Connections = cmp.Or(config.Connections, defaultLimit)
	config.Patience = cmp.Or(config.Patience, patience)
	if config.Extensions == nil {
		config.Extensions = []string{"vector"}
	}
	return &Postgres{config: config}
}

// Close gives connections back. It leaves the server alone.
func (p *Postgres) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.pool == nil {
		return nil
	}
	return p.pool.Close()
}

// Where implements slipway.Databases.
func (p *Postgres) Where() string { return p.config.Server.Where() }

// Reach implements slipway.Databases.
func (p *Postgres) Reach(ctx context.Context) error {
	return p.within(ctx, true, func(context.Context, *session) error { return nil })
}

var errClosed = errors.New("the databases are closed")

// reach opens the pool once there is something to reach.
func (p *Postgres) reach(ctx context.Context, start bool) (Endpoint, *sql.DB, error) {
	e, err := p.config.Server.Endpoint(ctx, start)
	if err != nil {
		return e, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return e, nil, errClosed
	}
	if p.pool == nil {
		p.pool = sql.OpenDB(stdlib.GetConnector(*e.Admin))
		p.pool.SetMaxOpenConns(connections)
		p.pool.SetMaxIdleConns(idle)
		p.pool.SetConnMaxIdleTime(idleFor)
	}
	return e, p.pool, nil
}

// session is a connection of the administrator's, for one call.
type session struct {
	*Postgres
	Endpoint
	*sql.Conn
	super bool // may do anything
	major int  // version of the server
}

// within does something in a session, in time. The errors of the server are
// explained.
func (p *Postgres) within(ctx context.Context, start bool, do func(context.Context, *session) error) error {
	return p.atLength(ctx, start, func(ctx context.Context, s *session) error {
		return p.inTime(ctx, func(ctx context.Context) error { return do(ctx, s) })
	})
}

// atLength is within for what may take as long as it takes: only the way there is to
// be in time, and what else asks for it.
func (p *Postgres) atLength(ctx context.Context, start bool, do func(context.Context, *session) error) error {
	e, pool, err := p.reach(ctx, start)
	if err != nil {
		return err
	}
	s := &session{Postgres: p, Endpoint: e}
	err = p.inTime(ctx, func(ctx context.Context) (err error) {
		if s.Conn, err = pool.Conn(ctx); err == nil {
			err = s.check(ctx)
		}
		return err
	})
	if s.Conn != nil {
		defer s.Conn.Close()
	}
	if err == nil {
		err = do(ctx, s)
	}
	return explain(e.Place, err)
}

// errSilent means that a server takes longer than anybody waits.
var errSilent = errors.New("it does not answer")

// inTime has something be given up that a server does not answer.
func (p *Postgres) inTime(ctx context.Context, do func(context.Context) error) error {
	return before(ctx, p.config.Patience, do)
}

func before(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	limited, cancel := context.WithTimeoutCause(ctx, limit, errSilent)
	defer cancel()
	err := do(limited)
	if err != nil && errors.Is(context.Cause(limited), errSilent) {
		return fmt.Errorf("%w within %v", errSilent, limit)
	}
	return err
}

// aside is for what is cleared away, whether or not the caller is still there.
func (p *Postgres) aside(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), p.config.Patience)
}

// whileAnswering has something be given up when the server does not answer any more,
// which is asked in this session meanwhile.
func (s *session) whileAnswering(ctx context.Context, do func(context.Context) error) error {
	asked, cancel := context.WithCancelCause(ctx)
	var asking sync.WaitGroup
	asking.Go(func() {
		for {
			select {
			case <-time.After(s.config.Patience):
			case <-asked.Done():
				return
			}
			if err := s.inTime(asked, s.PingContext); err != nil {
				cancel(err)
			}
		}
	})
	err := do(asked)
	cancel(context.Canceled)
	asking.Wait()
	if cause := context.Cause(asked); err != nil && ctx.Err() == nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// change is within, with a lock that there is one of for each key. A deployment's
// id is that of all that it has.
func (p *Postgres) change(ctx context.Context, start bool, key string, do func(context.Context, *session) error) error {
	return p.within(ctx, start, func(ctx context.Context, s *session) error {
		return s.locked(ctx, key, func() error { return do(ctx, s) })
	})
}

func (s *session) locked(ctx context.Context, key string, do func() error) error {
	err := s.inTime(ctx, func(ctx context.Context) error {
		_, err := s.ExecContext(ctx, "SELECT pg_advisory_lock(hashtextextended($1, 0))", lockPrefix+key)
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for who else changes it: %w", err)
	}
	defer s.unlock(ctx, key)
	return do()
}

// unlock lets go of a lock. Where this fails the connection does, and the lock ends
// with it.
func (s *session) unlock(ctx context.Context, key string) {
	ctx, cancel := s.aside(ctx)
	defer cancel()
	_, _ = s.ExecContext(ctx, "SELECT pg_advisory_unlock(hashtextextended($1, 0))", lockPrefix+key)
}

const lockPrefix = "slipway/"

const aboutUs = `SELECT current_setting('server_version_num')::int, rolsuper, rolcreatedb, rolcreaterole
	FROM pg_roles WHERE rolname = current_user`

// check looks whether the server and our role on it will do.
func (s *session) check(ctx context.Context) error {
	var version int
	var databases, roles bool
	if err := s.QueryRowContext(ctx, aboutUs).Scan(&version, &s.super, &databases, &roles); err != nil {
		return err
	}
	s.major = version / 10000
	switch {
	case s.major < programs.Oldest:
		return failed("database_too_old", fmt.Sprintf("Name a server of version %d or later.", programs.Oldest),
			"The PostgreSQL at %s has version %d.", s.Place, s.major)
	case !s.super && (!databases || !roles):
		return failed("database_no_right", fmt.Sprintf("ALTER ROLE %s CREATEDB CREATEROLE; by an administrator of that server.", quoted(s.Admin.User)),
			"The role %s on the PostgreSQL at %s may not make databases and roles.", s.Admin.User, s.Place)
	}
	return nil
}

// run runs statements one after the other.
func (s *session) run(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := s.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// together runs statements in one transaction.
func (s *session) together(ctx context.Context, statements ...string) error {
	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// inside does something as the administrator in another database, which may be over
// its quota.
func (s *session) inside(ctx context.Context, database string, do func(*pgx.Conn) error) error {
	config := s.Admin.Copy()
	config.Database = database
	config.RuntimeParams[setting] = "off"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return do(conn)
}

// quoted is a name in a statement.
func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// label of what is made now for a deployment.
func (p *Postgres) label(d slipway.DeploymentID) label {
	return label{deployment: d, owner: p.config.Owner, made: time.Now()}
}

// checkID keeps what is no deployment's id out of names.
func checkID(d slipway.DeploymentID) error {
	if !slipway.IsID(string(d)) {
		return fmt.Errorf("%q is no deployment's id", d)
	}
	return nil
}
