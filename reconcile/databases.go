package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway"
)

// Redis is one that deployments share, a number each. Every call is idempotent.
// A *slipway.Failure is final.
type Redis interface {
	// Where names the server for good.
	Where() string
	// Free lists the numbers under which nothing is kept.
	Free(ctx context.Context) ([]int, error)
	// Provide marks a number as a deployment's and returns its address for agents,
	// which may be in containers.
	Provide(ctx context.Context, d slipway.DeploymentID, number int, contained bool) (uri string, err error)
	// Purge removes what a deployment keeps under a number. It returns when it
	// has looked again. ErrUnmarked says that there is what may be anybody's.
	Purge(ctx context.Context, d slipway.DeploymentID, number int) error
	// Remains looks at what there is of a deployment, of all of this installation
	// if it is "".
	Remains(ctx context.Context, d slipway.DeploymentID) ([]slipway.Thing, error)
}

// needs is what a revision needs of databases that are made here.
func (w world) needs(r *slipway.Revision) slipway.Needs {
	return w.kind(r).Needs.Without(w.Brings[r.ID])
}

// awaits says whether a revision can not start for want of its database.
func (w world) awaits(r *slipway.Revision) bool {
	return w.Deployment.Status == slipway.AwaitingDatabase && w.needs(r).Postgres
}

// nextOfDatabase makes a database that was written down. That is not given up
// with the revision that needed it first: the next one needs it too.
func nextOfDatabase(w world) step {
	if w.Deployment.Status != slipway.AwaitingDatabase {
		return step{do: rest, why: "no database is waited for"}
	}
	return step{do: provide, why: "its database is not there yet"}
}

// wantDatabases is what is written down of databases before a revision starts.
func (w *worker) wantDatabases(ctx context.Context, r *slipway.Revision, kind slipway.AgentKind) ([]slipway.Event, error) {
	var events []slipway.Event
	needs := kind.Needs.Without(w.a.Brings[r.ID])
	if needs.Postgres && w.config.Databases != nil {
		events = append(events, slipway.DatabaseWanted{})
	}
	if !needs.Redis {
		return events, nil
	}
	redis, err := w.wantRedis(ctx, r)
	if err != nil {
		return nil, err
	}
	return append(events, redis...), nil
}

// wantRedis is what is written down of Redis. A deployment that has one keeps it:
// its agents were told where that is.
func (w *worker) wantRedis(ctx context.Context, r *slipway.Revision) ([]slipway.Event, error) {
	switch own := w.a.RedisPort != 0; {
	case own && w.mayRunRedis(), !own && w.redisNumber() != "" && w.config.Redis != nil:
		return nil, nil
	case own:
		return []slipway.Event{slipway.RedisServerWanted{Ports: w.config.Ports}}, nil
	case w.config.Redis != nil:
		free, err := w.config.Redis.Free(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for a free Redis database: %w", err)
		}
		return []slipway.Event{slipway.RedisWanted{Numbers: free}}, nil
	case w.config.OwnRedis == nil:
		return []slipway.Event{w.withoutRedis(r, "")}, nil
	case !r.Status.InProgress():
		return nil, nil // it has gone without from the beginning
	}
	if err := w.config.OwnRedis.Ready(ctx, r.Artefact.Image != ""); err != nil {
		w.log.Warn("a deployment goes without Redis", slog.Any("error", err))
		return []slipway.Event{w.withoutRedis(r, err.Error())}, ctx.Err()
	}
	return []slipway.Event{slipway.RedisServerWanted{Ports: w.config.Ports}}, nil
}

// withoutRedis says in the deploy log what a revision goes without, once, and why.
func (w *worker) withoutRedis(r *slipway.Revision, why string) slipway.Event {
	return slipway.Logged{Lines: []slipway.LogLine{{
		Deployment: w.a.Deployment.ID, Revision: r.ID, Kind: slipway.DeployLog, Origin: "databases-" + string(r.ID), Offset: 1,
		At: w.config.Now(), Level: "WARNING",
		Message: strings.TrimSpace("There is no Redis for it: its instances do not share their work, and runs of one that dies are not taken up. " +
			"Install redis-server or valkey-server on the machine that Slipway runs on (apt install redis-server), start Slipway with --agent-redis-url, " +
			"or give the deployment one by REDIS_URI_CUSTOM; then deploy again. " + why),
	}}}
}

// redisNumber is what the inventory has of a shared Redis, "" for nothing.
func (w *worker) redisNumber() string {
	if item := w.numberItem(); item.RemovedAt.IsZero() {
		return item.Ref
	}
	return ""
}

// provide makes the database that is waited for. Why it is not there is written
// where those look who wait.
func (w *worker) provide(ctx context.Context) error {
	_, err := w.postgres(ctx, false)
	if err == nil {
		w.log.Info("database provided")
		return w.report(ctx, slipway.DatabaseProvided{})
	}
	if ctx.Err() != nil {
		return err
	}
	events, final := withFailure(w.a.InProgress, err)
	if !final || w.a.InProgress.Status != slipway.Deploying {
		events = []slipway.Event{slipway.DatabaseAwaited{Reason: fmt.Sprintf("The database is not there yet: %v", err)}}
	}
	return errors.Join(fmt.Errorf("provide database: %w", err), w.report(ctx, events...))
}

// postgres has the database of the deployment be there, and returns how agents
// get in by its newest login.
func (w *worker) postgres(ctx context.Context, contained bool) (uri string, err error) {
	d := w.a.Deployment
	if err := w.placeDatabase(ctx); err != nil {
		return "", err
	}
	login, err := w.sync.Login(ctx, w.lease)
	if err != nil {
		return "", fmt.Errorf("read login: %w", err)
	}
	uri, err = w.config.Databases.Provide(ctx, slipway.DatabaseRequest{
		Deployment: d.ID, Login: login, Made: !d.ProvidedAt.IsZero(), Contained: contained,
	})
	if errors.Is(err, slipway.ErrDatabaseGone) {
		return "", databaseGone(err)
	}
	return uri, err
}

func databaseGone(err error) *slipway.Failure {
	return &slipway.Failure{
		Phase: slipway.PhaseDeploy, Step: "database", Code: "database_gone",
		Message: fmt.Sprintf("The database that was made for this deployment is not there any more, and it was not removed here: %v.", err),
		Hint:    "Restore a dump under that name, or create an empty database of that name to begin anew; then redeploy.",
	}
}

// connections sees to the databases of a revision that is about to start, and
// returns the variables by which its agents find them. Those of its owner count
// for more than ours.
func (w *worker) connections(ctx context.Context, r *slipway.Revision, own []slipway.EnvVar) ([]slipway.EnvVar, error) {
	kind := w.kinds[r.Artefact.Kind]
	postgres, redis := slipway.ValueOf(own, slipway.OwnPostgres), slipway.ValueOf(own, slipway.OwnRedis)
	var err error
	if kind.Needs.Postgres && postgres == "" && w.config.Databases != nil {
		if postgres, err = w.postgres(ctx, r.Artefact.Image != ""); err != nil {
			return nil, err
		}
	}
	if kind.Needs.Redis && redis == "" {
		if redis, err = w.redis(ctx, r.Artefact.Image != ""); err != nil {
			return nil, err
		}
	}
	var vars []slipway.EnvVar
	if kind.Needs.Postgres && postgres != "" {
		vars = append(vars, slipway.EnvVar{Name: "POSTGRES_URI", Value: postgres}, slipway.EnvVar{Name: "DATABASE_URI", Value: postgres})
	}
	if kind.Needs.Redis && redis != "" {
		vars = append(vars, slipway.EnvVar{Name: "REDIS_URI", Value: redis})
	}
	return vars, nil
}

// redis returns the address of the deployment's Redis, "" if it has none.
func (w *worker) redis(ctx context.Context, contained bool) (string, error) {
	if w.a.RedisPort != 0 {
		return w.ownRedis(ctx, contained)
	}
	ref := w.redisNumber()
	if ref == "" || w.config.Redis == nil {
		return "", nil
	}
	number, err := strconv.Atoi(ref)
	if err != nil {
		return "", fmt.Errorf("number of Redis database: %w", err)
	}
	if err := w.numberIsHere(ctx); err != nil {
		return "", err
	}
	uri, err := w.config.Redis.Provide(ctx, w.a.Deployment.ID, number, contained)
	if err != nil {
		return "", err
	}
	return uri, w.placeNumber(ctx)
}

// removeDatabase removes what there is of a deployment on a server.
func (w *worker) removeDatabase(ctx context.Context, item slipway.Item) error {
	if item.Kind == slipway.ItemRedis && item.Ref == string(w.a.Deployment.ID) {
		return w.removeRedis(ctx)
	}
	if item.Kind == slipway.ItemRedis {
		return w.emptyNumber(ctx, item)
	}
	if err := w.databaseIsHere(ctx); err != nil {
		return err
	}
	d := w.a.Deployment.ID
	if item.Kind == slipway.ItemDatabase {
		if err := w.keepState(ctx); err != nil {
			return err
		}
		return w.config.Databases.Purge(ctx, d)
	}
	number, err := strconv.Atoi(item.Ref)
	if err != nil {
		return fmt.Errorf("number of %s: %w", item.Kind, err)
	}
	return w.config.Databases.Retire(ctx, d, number)
}

// emptyNumber empties a number of the Redis that deployments share. What nobody has
// marked is another's if the number was never marked for the deployment; if it was,
// that Redis has lost its marks, and nobody can tell.
func (w *worker) emptyNumber(ctx context.Context, item slipway.Item) error {
	number, err := strconv.Atoi(item.Ref)
	if err != nil {
		return fmt.Errorf("number of %s: %w", item.Kind, err)
	}
	if err := w.numberIsHere(ctx); err != nil {
		return err
	}
	err = w.config.Redis.Purge(ctx, w.a.Deployment.ID, number)
	if errors.Is(err, slipway.ErrUnmarked) && w.numberItem().Place == "" {
		return nil
	}
	return err
}

// remainingDatabases lists what there is on servers of a deployment that had
// something there. One that had nothing does not wait for them.
func (w *worker) remainingDatabases(ctx context.Context, gone []slipway.Item) (things []slipway.Thing, err error) {
	d := w.a.Deployment
	had := func(kinds ...slipway.ItemKind) bool {
		return slices.ContainsFunc(gone, func(i slipway.Item) bool { return slices.Contains(kinds, i.Kind) })
	}
	if had(slipway.ItemDatabase, slipway.ItemLogin) {
		if err := w.databaseIsHere(ctx); err != nil {
			return nil, err
		}
		if things, err = w.config.Databases.Remains(ctx, d.ID); err != nil {
			return nil, err
		}
	}
	if had(slipway.ItemRedis) && w.numberItem().Ref != "" {
		if err := w.numberIsHere(ctx); err != nil {
			return nil, err
		}
	}
	if had(slipway.ItemRedis) && w.config.Redis != nil {
		numbers, err := w.config.Redis.Remains(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		things = append(things, numbers...)
	}
	return things, nil
}
