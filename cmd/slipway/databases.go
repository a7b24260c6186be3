package main

import (
	"cmp"
	"os"

	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway/internal/daemon"
)

// Environment variables for addresses that have passwords in them.
const (
	agentPostgresVariable = "SLIPWAY_AGENT_POSTGRES_URL"
	agentRedisVariable    = "SLIPWAY_AGENT_REDIS_URL"
)

func registerDatabases(flags *pflag.FlagSet, d *daemon.Databases) {
	flags.StringVar(&d.Postgres, "agent-postgres-url", "", "PostgreSQL where each deployment that needs one gets a database, postgres://admin@host:port/postgres\n(default: one of this server's own, begun when it is needed).\n"+
		"Everyone on the machine can see arguments: give one with a password as "+agentPostgresVariable)
	flags.StringVar(&d.PostgresContained, "agent-postgres-from-containers", "", "host:port by which containers reach it (default: as it is reached from here)")
	flags.Var((*byteSize)(&d.Quota), "agent-database-size", "how much a database that is made for a deployment may hold before it takes no changes; 0 for any amount")
	flags.IntVar(&d.Connections, "agent-database-connections", 100, "connections that the agents of a deployment may have to it")
	flags.IntVar(&d.UID, "agent-postgres-uid", 60799, "user that a PostgreSQL of this server's own runs as if this server is root")
	flags.StringVar(&d.Redis, "agent-redis-url", "", "Redis where each deployment that needs one gets a database number, redis://host:port. A number is no boundary\n(default: a small Redis of its own for each).\n"+
		"With a password, give it as "+agentRedisVariable)
	flags.StringVar(&d.RedisContained, "agent-redis-from-containers", "", "host:port by which containers reach it (default: as it is reached from here)")
}

// fromEnvironment completes what flags say. The variables are no defaults of the
// flags: help would print them.
func fromEnvironment(d *daemon.Databases) {
	d.Postgres = cmp.Or(d.Postgres, os.Getenv(agentPostgresVariable))
	d.Redis = cmp.Or(d.Redis, os.Getenv(agentRedisVariable))
}
