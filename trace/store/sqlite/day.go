package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"

	"github.com/slipwayhq/slipway/trace/store"
)

// readers is how many Views of a day go on at once.
const readers = 4

var (
	common  = []string{"busy_timeout(5000)", "synchronous(FULL)", "trusted_schema(0)", "temp_store(MEMORY)", "cache_size(-16000)"}
	writing = append([]string{"journal_mode(WAL)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)"}, common...)
	reading = append([]string{"query_only(1)"}, common...)
	// Only a file without content takes this, and one with content would be
	// written to all the same.
	making = append([]string{"auto_vacuum(INCREMENTAL)"}, writing...)
)

//go:embed migrations
var migrations embed.FS

// day is one file.
type day struct {
	path string
	date store.Date

	// The engine's.
	users int
	used  uint64
	gone  bool // it is being dropped

	mu      sync.Mutex // of what follows
	opened  bool
	written sync.Mutex // held by who writes
	pools   []*sql.DB
	writer  *conn
	readers chan *conn
	known   *store.Known // nil until there is something
}

func newDay(path string, date store.Date) *day { return &day{path: path, date: date} }

func (d *day) isOpen() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opened
}

func (d *day) knows() (store.Known, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		return store.Known{}, false
	}
	return *d.known, true
}

func (d *day) open(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.opened {
		return nil
	}
	if err := d.connect(ctx); err != nil {
		return errors.Join(err, d.shut())
	}
	d.opened = true
	return nil
}

// connect makes the file readable by its owner only; the files that SQLite puts
// beside it are made alike.
func (d *day) connect(ctx context.Context) error {
	f, err := os.OpenFile(d.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	pragmas := writing
	if info.Size() == 0 {
		pragmas = making
	}
	if d.writer, err = d.dial(ctx, pragmas, 1); err != nil {
		return err
	}
	if err := migrate(d.writer); err != nil {
		return err
	}
	if err := d.look(); err != nil {
		return err
	}
	d.readers = make(chan *conn, readers)
	for range readers {
		d.readers <- nil // made when it is needed
	}
	return nil
}

func (d *day) dial(ctx context.Context, pragmas []string, size int) (*conn, error) {
	pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: d.path}).EscapedPath()+"?"+url.Values{"_pragma": pragmas}.Encode())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(size)
	d.pools = append(d.pools, pool)
	raw, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw, statements: map[string]*sql.Stmt{}}, nil
}

// migrate brings the schema up to date.
func migrate(c *conn) error {
	steps, err := store.Steps(migrations)
	if err != nil {
		return err
	}
	var has int
	if err := c.raw.QueryRowContext(context.Background(), "PRAGMA user_version").Scan(&has); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if err := store.CheckSchema(has, len(steps)); err != nil {
		return err
	}
	for n := has; n < len(steps); n++ {
		step := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA user_version = %d; COMMIT", steps[n], n+1)
		if _, err := c.raw.ExecContext(context.Background(), step); err != nil {
			return fmt.Errorf("migrate the schema to %d: %w", n+1, err)
		}
	}
	return nil
}

// look finds out what Known says.
func (d *day) look() error {
	const query = "SELECT min(first), max(last), sum(stubs + ahead) FROM totals"
	var first, last, strays sql.NullInt64
	if err := d.writer.raw.QueryRowContext(context.Background(), query).Scan(&first, &last, &strays); err != nil {
		return fmt.Errorf("read totals: %w", err)
	}
	d.known = &store.Known{Date: d.date, First: first.Int64, Last: last.Int64, Strays: int(strays.Int64)}
	return nil
}

// update runs fn in a transaction of the connection that writes.
func (d *day) update(ctx context.Context, fn func(store.Tx) error) error {
	d.written.Lock()
	defer d.written.Unlock()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := d.writer.control("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			_ = d.writer.control("ROLLBACK") // SQLite may have done so by itself
		}
	}()
	if err := fn(d.writer); err != nil {
		return err
	}
	if err := d.writer.control("COMMIT"); err != nil {
		return err
	}
	done = true
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.look()
}

// view runs fn in a snapshot.
func (d *day) view(ctx context.Context, fn func(store.Tx) error) (err error) {
	var c *conn
	select {
	case c = <-d.readers:
	case <-ctx.Done():
		return fmt.Errorf("wait for a reader: %w", context.Cause(ctx))
	}
	defer func() { d.readers <- c }()
	if c == nil {
		d.mu.Lock()
		made, err := d.dial(ctx, reading, 1)
		d.mu.Unlock()
		if err != nil {
			return err
		}
		c = made
	}
	if err := c.control("BEGIN"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.control("COMMIT")) }()
	return fn(c.within(ctx))
}

// trimAtOnce is how many pages are given back in one go: meanwhile nobody writes.
const trimAtOnce = 2000

// trim gives free pages back to the disk.
func (d *day) trim(ctx context.Context) error {
	for left, before := 0, 0; ; before = left {
		err := d.alone(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", trimAtOnce), func(c *sql.Conn) error {
			return c.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&left)
		})
		if err != nil {
			return err
		}
		if left == 0 || left == before { // or others free as much
			break
		}
	}
	return d.alone(ctx, "PRAGMA wal_checkpoint(TRUNCATE)", func(*sql.Conn) error { return nil })
}

// alone runs a statement, and then something else, while nobody writes.
func (d *day) alone(ctx context.Context, statement string, then func(*sql.Conn) error) error {
	d.written.Lock()
	defer d.written.Unlock()
	rows, err := d.writer.raw.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	for rows.Next() { // a page a row
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	return then(d.writer.raw)
}

func (d *day) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.opened {
		return nil
	}
	d.opened = false
	return d.shut()
}

// shut begins with the readers: the last connection to go puts the log into the
// file, and must be allowed to write.
func (d *day) shut() error {
	var errs []error
	for range cap(d.readers) {
		if c := <-d.readers; c != nil {
			errs = append(errs, c.close())
		}
	}
	if d.writer != nil {
		errs = append(errs, d.writer.close())
	}
	for _, pool := range d.pools {
		errs = append(errs, pool.Close())
	}
	d.pools, d.writer, d.readers = nil, nil, nil
	return errors.Join(errs...)
}
