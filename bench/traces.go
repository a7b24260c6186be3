package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/sqlite"
	"github.com/slipwayhq/slipway/trace/tracetest"
)

const (
	// traceIntakes are taken of each kind. In each, traceClients send batches of
	// traceBatch operations on traceEach runs in all, two a run.
	traceIntakes, traceClients, traceBatch, traceEach = 5, 16, 100, 20_000
	// traceShare is the goal: the speed as a share of bare inserts.
	traceShare = 0.5
	// traceRuns are kept when the newest tracePage are asked for, so often.
	traceRuns, tracePage, traceQueries = 1_000_000, 100, 1000
	traceLimit                         = 20 * time.Millisecond
)

// traces measures the store of traces: how fast it takes operations in, each
// batch durable before its client sends the next, beside bare inserts of the same
// bytes; how soon it finds the newest runs among very many; how much disk a run
// takes.
func traces(ctx context.Context, l *lab) ([]row, error) {
	var ours, bare, share numbers
	for n := range l.times(traceIntakes) {
		l.say("  intake %d", n+1)
		begin := time.Now().UTC()
		ops := tracetest.NewTraffic(uint64(n), begin).Stream(begin, traceEach/runsPerTrace)
		took, err := inTurn(1, func() (time.Duration, error) { return l.takeTraces(ctx, ops) }, func() (time.Duration, error) { return l.insertBare(ctx, ops) })
		if err != nil {
			return nil, err
		}
		ours, bare = append(ours, traceEach/took[0].median().Seconds()), append(bare, traceEach/took[1].median().Seconds())
		share = append(share, ours[n]/bare[n])
	}
	rows := []row{
		factors("runs taken in, durable, as a share of bare inserts", share).with(atLeast(share.median(), traceShare, times(traceShare))),
		rates("runs taken in: a post and a patch each, 2.2 KB", ours),
		rates("SQLite inserts of the same bytes, a transaction a batch", bare),
	}
	many, err := l.queryMany(ctx)
	return append(rows, many...), err
}

// runsPerTrace is how many tracetest makes.
const runsPerTrace = 4

// traceStore is one in a folder of its own.
type traceStore struct {
	*store.Store
	blobs  *blob.Folder
	folder string
}

func (l *lab) openTraces(ctx context.Context) (*traceStore, error) {
	folder, err := l.folder("traces")
	if err != nil {
		return nil, err
	}
	blobs, err := blob.OpenFolder(filepath.Join(folder, "blobs"))
	if err != nil {
		return nil, err
	}
	engine, err := sqlite.Open(ctx, filepath.Join(folder, "days"))
	if err != nil {
		return nil, errors.Join(err, blobs.Close())
	}
	return &traceStore{store.New(engine, blobs, store.Config{}), blobs, folder}, nil
}

func (s *traceStore) end() error {
	err := errors.Join(s.Close(), s.blobs.Close())
	removeAll(s.folder)
	return err
}

func (l *lab) takeTraces(ctx context.Context, ops []trace.Op) (time.Duration, error) {
	s, err := l.openTraces(ctx)
	if err != nil {
		return 0, err
	}
	took, err := byBatches(ops, func(batch []trace.Op) error { return s.take(ctx, batch) })
	return took, errors.Join(err, s.end())
}

func (s *traceStore) take(ctx context.Context, batch []trace.Op) error {
	errs, err := s.Write(ctx, batch)
	return errors.Join(append(errs, err)...)
}

// byBatches has clients at once send what there is.
func byBatches(ops []trace.Op, send func([]trace.Op) error) (time.Duration, error) {
	batches := slices.Collect(slices.Chunk(ops, traceBatch))
	errs := make([]error, len(batches))
	var next atomic.Int64
	var clients sync.WaitGroup
	begun := time.Now()
	for range traceClients {
		clients.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(batches); i = int(next.Add(1)) - 1 {
				errs[i] = send(batches[i])
			}
		})
	}
	clients.Wait()
	return time.Since(begun), errors.Join(errs...)
}

// insertBare writes the same bytes into a table that has a key and nothing else.
func (l *lab) insertBare(ctx context.Context, ops []trace.Op) (time.Duration, error) {
	folder, err := l.folder("bare")
	if err != nil {
		return 0, err
	}
	defer removeAll(folder)
	pool, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "bare.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	if _, err := pool.ExecContext(ctx, "CREATE TABLE ops (id BLOB, kind INTEGER, body BLOB, PRIMARY KEY (id, kind))"); err != nil {
		return 0, err
	}
	return byBatches(ops, func(batch []trace.Op) error { return insertBatch(ctx, pool, batch) })
}

func insertBatch(ctx context.Context, pool *sql.DB, batch []trace.Op) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert, err := tx.PrepareContext(ctx, "INSERT INTO ops VALUES (?, ?, ?)")
	if err != nil {
		return err
	}
	for _, o := range batch {
		if _, err := insert.ExecContext(ctx, o.Run.ID[:], o.Kind, tracetest.Bytes(o)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// queryMany asks for the newest root runs among very many.
func (l *lab) queryMany(ctx context.Context) ([]row, error) {
	s, err := l.openTraces(ctx)
	if err != nil {
		return nil, err
	}
	defer s.end()
	now := time.Now().UTC()
	f := tracetest.NewTraffic(1, now)
	for n := 0; n < traceRuns; n += traceEach {
		if n%(10*traceEach) == 0 {
			l.say("  %d of %d runs", n, traceRuns)
		}
		ops := f.Stream(now.Add(time.Duration(n)*time.Millisecond), traceEach/runsPerTrace)
		if _, err := byBatches(ops, func(batch []trace.Op) error { return s.take(ctx, batch) }); err != nil {
			return nil, err
		}
	}
	var rows []row
	for _, c := range []struct {
		what string
		some trace.Fields
	}{{"with all their values", trace.AllFields}, {"without values", 0}} {
		q := trace.Query{Workspace: f.Workspace, Projects: []slipway.ProjectID{f.Project}, Root: new(true), Limit: tracePage, Select: c.some}
		took, err := repeat(traceQueries, func() (time.Duration, error) { return s.ask(ctx, q) })
		if err != nil {
			return rows, err
		}
		p99 := took.percentile(99)
		rows = append(rows, spread(fmt.Sprintf("the newest %d root runs of a project among %d runs, %s", tracePage, traceRuns, c.what), took).
			with(atMost(p99, traceLimit, millis(traceLimit)+" p99")).against("p99 %s", millis(p99)))
	}
	return s.weigh(ctx, rows)
}

func (s *traceStore) ask(ctx context.Context, q trace.Query) (time.Duration, error) {
	begun := time.Now()
	page, err := s.Query(ctx, q)
	took := time.Since(begun)
	if err == nil && len(page.Runs) != q.Limit {
		err = fmt.Errorf("%d runs were found, not %d", len(page.Runs), q.Limit)
	}
	return took, err
}

// weigh adds what a run takes on disk.
func (s *traceStore) weigh(ctx context.Context, rows []row) ([]row, error) {
	days, err := s.Days(ctx)
	if err != nil {
		return rows, err
	}
	var bytes int64
	for _, d := range days {
		bytes += d.Bytes
	}
	return append(rows, single("disk that a run of 2.2 KB takes, with indexes and log", fmt.Sprintf("%d bytes", bytes/traceRuns))), nil
}
