package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/slipwayhq/slipway/internal/backoff"
	"github.com/slipwayhq/slipway/internal/pgerror"
	"github.com/slipwayhq/slipway/trace/store"
)

//go:embed migrations
var migrations embed.FS

// Locks of the database, all of one class. Any class will do that is nobody
// else's; a day's lock is its number.
const (
	lockClass  = 0x51_1B_3A_12
	schemaLock = -1
)

// tables are those that have partitions.
var tables = [...]string{"runs", "attachments", "blobs", "totals", "latencies", "tokens"}

const (
	// tries bounds how often a transaction is run that others undo.
	tries = 8
	// tryWithin ends a try that hangs, on a dead network for one.
	tryWithin = time.Minute
)

var between = backoff.Exponential{First: 5 * time.Millisecond, Most: 500 * time.Millisecond}

// Engine is a store.Engine in one database.
type Engine struct {
	pool   *sql.DB
	within time.Duration // a try ends
}

var _ store.Engine = (*Engine)(nil)

// Open brings the schema up to date; of servers that start at once, one does and
// the others wait. The pool is of the driver pgx and stays the caller's. The error
// is store.ErrNewer if a newer Slipway has been there.
func Open(ctx context.Context, pool *sql.DB) (*Engine, error) {
	e := &Engine{pool, tryWithin}
	if err := e.transact(ctx, "", migrate); err != nil {
		return nil, fmt.Errorf("open traces in PostgreSQL: %w", err)
	}
	return e, nil
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, c *pgx.Conn) error {
	steps, err := store.Steps(migrations)
	if err != nil {
		return err
	}
	const start = "SELECT pg_advisory_xact_lock($1, $2)"
	if _, err := c.Exec(ctx, start, lockClass, schemaLock); err != nil {
		return err
	}
	const begin = "CREATE SCHEMA IF NOT EXISTS slipway_traces; CREATE TABLE IF NOT EXISTS slipway_traces.migrations (n BIGINT PRIMARY KEY)"
	if _, err := c.Exec(ctx, begin); err != nil {
		return err
	}
	var has int
	if err := c.QueryRow(ctx, "SELECT coalesce(max(n), 0) FROM migrations").Scan(&has); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if err := store.CheckSchema(has, len(steps)); err != nil {
		return err
	}
	for n := has; n < len(steps); n++ {
		if _, err := c.Exec(ctx, steps[n]); err != nil {
			return fmt.Errorf("migrate the schema to %d: %w", n+1, err)
		}
		if _, err := c.Exec(ctx, "INSERT INTO migrations (n) VALUES ($1)", n+1); err != nil {
			return err
		}
	}
	return nil
}

// transact runs fn in a transaction, which begins with some statements. Where
// others have undone it, or the connection went before the commit, it is run
// again.
func (e *Engine) transact(ctx context.Context, begin string, fn func(context.Context, *pgx.Conn) error) error {
	for failures := 1; ; failures++ {
		again, err := e.try(ctx, begin, fn)
		if !again || failures == tries {
			return err
		}
		timer := time.NewTimer(between.After(failures))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// try runs fn once. Again means that nothing was kept, and that the next try may
// do better.
func (e *Engine) try(ctx context.Context, begin string, fn func(context.Context, *pgx.Conn) error) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.within)
	defer cancel()
	conn, err := e.pool.Conn(ctx)
	if err != nil {
		return pgerror.Passing(err), fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		of, ok := c.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the pool is of %T: one of pgx is needed", c)
		}
		raw := of.Conn()
		_, err := raw.Exec(ctx, "BEGIN; SET LOCAL search_path TO slipway_traces; SET LOCAL synchronous_commit TO on; "+begin)
		if err == nil {
			err = fn(ctx, raw)
		}
		if err != nil {
			again = pgerror.Passing(err)
			return errors.Join(err, rollback(ctx, raw))
		}
		if _, err := raw.Exec(ctx, "COMMIT"); err != nil {
			again = pgerror.Undone(err)
			return errors.Join(fmt.Errorf("commit: %w", err), rollback(ctx, raw))
		}
		return nil
	})
	return again, err
}

// rollback ends a transaction, or the connection: its pool must not get one that
// is in the middle.
func rollback(ctx context.Context, c *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := c.Exec(ctx, "ROLLBACK"); err != nil {
		return c.Close(ctx)
	}
	return nil
}

// Update implements store.Engine.
func (e *Engine) Update(ctx context.Context, d store.Date, fn func(store.Tx) error) error {
	return e.transact(ctx, lock(d), func(ctx context.Context, c *pgx.Conn) error {
		there, err := exists(ctx, c, d)
		if err == nil && !there {
			err = create(ctx, c, d)
		}
		if err != nil {
			return err
		}
		return fn(tx{ctx, c})
	})
}

func lock(d store.Date) string {
	return fmt.Sprintf("SELECT pg_advisory_xact_lock(%d, %d)", lockClass, d)
}

func exists(ctx context.Context, c *pgx.Conn, d store.Date) (there bool, err error) {
	err = c.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM days WHERE day = $1)", int64(d)).Scan(&there)
	return there, err
}

// create makes a day's tables and attaches them, which keeps nobody from reading
// or writing the others.
func create(ctx context.Context, c *pgx.Conn, d store.Date) error {
	for _, table := range tables {
		name := partition(table, d)
		statements := fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL); ALTER TABLE %s ATTACH PARTITION %s FOR VALUES IN (%d)", name, table, table, name, d)
		if _, err := c.Exec(ctx, statements); err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
	}
	_, err := c.Exec(ctx, "INSERT INTO days (day) VALUES ($1)", int64(d))
	return err
}

func partition(table string, d store.Date) string { return table + "_" + d.Time().Format("20060102") }

// View implements store.Engine.
func (e *Engine) View(ctx context.Context, d store.Date, fn func(store.Tx) error) error {
	var read error // of fn, which is not run again
	err := e.transact(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", func(ctx context.Context, c *pgx.Conn) error {
		there, err := exists(ctx, c, d)
		if err == nil && there {
			read = fn(tx{ctx, c})
		}
		return err
	})
	return errors.Join(read, err)
}

// Days implements store.Engine.
func (e *Engine) Days(ctx context.Context) (known []store.Known, err error) {
	const query = `SELECT days.day, coalesce(min(first), 0), coalesce(max(last), 0), coalesce(sum(stubs + ahead), 0)::bigint
		FROM days LEFT JOIN totals ON totals.day = days.day GROUP BY days.day ORDER BY days.day`
	err = e.transact(ctx, "SET TRANSACTION READ ONLY", func(ctx context.Context, c *pgx.Conn) error {
		known = nil
		return tx{ctx, c}.Query(query, [][]any{{}}, func(_ int, scan func(...any) error) error {
			var k store.Known
			err := scan(&k.Date, &k.First, &k.Last, &k.Strays)
			known = append(known, k)
			return err
		})
	})
	return known, err
}

// dropWithin is how long a day that is dropped waits for its readers: everybody
// who comes after it, to whatever day, waits with it.
const dropWithin = "2s"

// Drop implements store.Engine.
func (e *Engine) Drop(ctx context.Context, d store.Date) error {
	begin := fmt.Sprintf("SET LOCAL lock_timeout = '%s'; %s", dropWithin, lock(d))
	err := e.transact(ctx, begin, func(ctx context.Context, c *pgx.Conn) error {
		for _, table := range tables {
			if _, err := c.Exec(ctx, "DROP TABLE IF EXISTS "+partition(table, d)); err != nil {
				return err
			}
		}
		_, err := c.Exec(ctx, "DELETE FROM days WHERE day = $1", int64(d))
		return err
	})
	if pgerror.Busy(err) {
		return fmt.Errorf("%w: %w", store.ErrBusy, err)
	}
	return err
}

// Trim implements store.Engine: PostgreSQL vacuums by itself.
func (e *Engine) Trim(context.Context, store.Date) error { return nil }

// Size implements store.Engine.
func (e *Engine) Size(ctx context.Context, d store.Date) (size int64, err error) {
	err = e.transact(ctx, "SET TRANSACTION READ ONLY", func(ctx context.Context, c *pgx.Conn) error {
		size = 0
		for _, table := range tables {
			var one int64
			// The size of what is not there is null.
			err := c.QueryRow(ctx, "SELECT coalesce(pg_total_relation_size(to_regclass($1)), 0)", partition(table, d)).Scan(&one)
			if err != nil {
				return err
			}
			size += one
		}
		return nil
	})
	return size, err
}

// Close implements store.Engine.
func (e *Engine) Close() error { return nil }
