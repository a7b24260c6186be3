package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/database/programs"
	"github.com/slipwayhq/slipway/database/redis"
	"github.com/slipwayhq/slipway/database/server"
	"github.com/slipwayhq/slipway/internal/confine"
	"github.com/slipwayhq/slipway/leftover"
	"github.com/slipwayhq/slipway/reconcile"
)

// Databases are where agents keep what they know beside files.
type Databases struct {
	Postgres          string // address of the administrator of a PostgreSQL; "" for a server of our own
	PostgresContained string // host:port by which containers reach it, "" for the same
	Quota             int64  // bytes that a database may have; 0 for any number
	Connections       int    // that the agents of a deployment may have; 0 for 100
	UID               int    // that a server of our own runs as if this server is root; 0 for 60799
	Redis             string // address of a Redis that deployments share; "" for one of its own for each
	RedisContained    string
}

// postgresUID is apart from those of agents and builds.
const postgresUID = 60799

// openDatabases reaches for nothing yet: what needs a server waits for it.
func (s *Server) openDatabases(owner string) error {
	c := s.config.Databases
	tools := Toolchains(s.config.Data)
	finder := PostgresPrograms(tools)
	var bridge func(context.Context) (string, error)
	if s.engine != nil {
		bridge = bridgeOf(s.engine)
	}
	where, err := s.openPostgres(finder, bridge)
	if err != nil {
		return fmt.Errorf("databases of agents: %w", err)
	}
	s.databases = database.New(database.Config{Owner: owner, Server: where, Quota: c.Quota, Connections: c.Connections, Programs: finder, Logger: s.config.Logger})
	s.ownRedis = redis.NewOwn(redis.OwnConfig{Programs: RedisPrograms(tools), Bridge: bridge})
	if c.Redis == "" {
		return nil
	}
	if s.redis, err = redis.New(redis.Config{Address: c.Redis, Contained: c.RedisContained, Owner: owner}); err != nil {
		return fmt.Errorf("databases of agents: %w", err)
	}
	return nil
}

// openPostgres returns the server that is given, or one of our own, which begins
// to exist when it is needed.
func (s *Server) openPostgres(finder programs.Finder, bridge func(context.Context) (string, error)) (_ database.Server, err error) {
	c := s.config.Databases
	if c.Postgres != "" {
		return database.ParseGiven(c.Postgres, "", c.PostgresContained)
	}
	uid := cmp.Or(c.UID, postgresUID)
	s.postgres, err = server.Open(server.Config{
		Folder: PostgresFolder(s.config.Data), Hide: s.config.Data, User: &confine.User{UID: uid, GID: uid},
		Bridge: bridge, Programs: finder, Logger: s.config.Logger,
	})
	return s.postgres, err
}

// databasePlaces is where leftovers may be of what deployments have in databases.
func (s *Server) databasePlaces() []leftover.Place {
	places := []leftover.Place{leftover.OfDatabases(s.databases)}
	if s.redis != nil {
		places = append(places, leftover.OfRedis(s.redis))
	}
	return places
}

// sharedRedis is nil if there is none: a nil in an interface would be something.
func (s *Server) sharedRedis() reconcile.Redis {
	if s.redis == nil {
		return nil
	}
	return s.redis
}

// closeDatabases lets go of servers, which run on.
func (s *Server) closeDatabases() error {
	var errs []error
	if s.databases != nil {
		errs = append(errs, s.databases.Close())
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Close())
	}
	return errors.Join(errs...)
}
