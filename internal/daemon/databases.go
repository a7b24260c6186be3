package daemon

import (
	"errors"
	"fmt"

	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/database/programs"
	"github.com/slipwayhq/slipway/database/redis"
	"github.com/slipwayhq/slipway/leftover"
	"github.com/slipwayhq/slipway/reconcile"
)

// Databases are where agents keep what they know beside files.
type Databases struct {
	Postgres          string // address of the administrator of a PostgreSQL; "" for none
	PostgresContained string // host:port by which containers reach it, "" for the same
	Redis             string // address of a Redis that deployments share; "" for none
	RedisContained    string
}

// openDatabases reaches for nothing yet: what needs a server waits for it.
func (s *Server) openDatabases(owner string) (err error) {
	c := s.config.Databases
	if c.Postgres != "" {
		given, err := database.ParseGiven(c.Postgres, "", c.PostgresContained)
		if err != nil {
			return fmt.Errorf("databases of agents: %w", err)
		}
		s.databases = database.New(database.Config{Owner: owner, Server: given, Programs: programs.Finder{}, Logger: s.config.Logger})
	}
	if c.Redis != "" {
		if s.redis, err = redis.New(redis.Config{Address: c.Redis, Contained: c.RedisContained, Owner: owner}); err != nil {
			return fmt.Errorf("databases of agents: %w", err)
		}
	}
	return nil
}

// databasePlaces is where leftovers may be of what deployments have in databases.
func (s *Server) databasePlaces() (places []leftover.Place) {
	if s.databases != nil {
		places = append(places, leftover.OfDatabases(s.databases))
	}
	if s.redis != nil {
		places = append(places, leftover.OfRedis(s.redis))
	}
	return places
}

// withDatabases has agents be given what there is: a nil in an interface would be
// something.
func (s *Server) withDatabases(c reconcile.Config) reconcile.Config {
	if s.databases != nil {
		c.Databases = s.databases
	}
	if s.redis != nil {
		c.Redis = s.redis
	}
	return c
}

func (s *Server) closeDatabases() error {
	var errs []error
	if s.databases != nil {
		errs = append(errs, s.databases.Close())
	}
	return errors.Join(errs...)
}
