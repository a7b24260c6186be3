package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/tracetest"
)

// clients send batches of 100 operations.
const clients, batchOf = 16, 100

func batches(n int) [][]trace.Op {
	now := time.Now().UTC()
	ops := tracetest.NewTraffic(1, now).Stream(now, n*batchOf/8)
	return slices.Collect(slices.Chunk(ops, batchOf))
}

// BenchmarkIntake writes operations by clients at once, each batch durable before
// its client sends the next.
func BenchmarkIntake(b *testing.B) {
	folder := filepath.Join(b.TempDir(), "traces")
	s := store.New(open(b, folder), blobs(b), store.Config{})
	defer s.Close()
	all := batches(b.N)
	b.ReportAllocs()
	b.ResetTimer()
	inTurn(b, all, func(ops []trace.Op) error {
		_, err := s.Write(context.Background(), ops)
		return err
	})
	b.ReportMetric(float64(b.N*batchOf/2)/b.Elapsed().Seconds(), "runs/s")
	b.ReportMetric(float64(size(b, s))/float64(b.N*batchOf/2), "bytes/run")
}

func inTurn(b *testing.B, all [][]trace.Op, write func([]trace.Op) error) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range clients {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(all) {
					return
				}
				if err := write(all[i]); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

// BenchmarkBare inserts the same bytes into a table that only has a key.
func BenchmarkBare(b *testing.B) {
	all := batches(b.N)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "bare.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE ops (id BLOB, kind INTEGER, body BLOB, PRIMARY KEY (id, kind))"); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	inTurn(b, all, func(ops []trace.Op) error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		insert, err := tx.Prepare("INSERT INTO ops VALUES (?, ?, ?)")
		if err != nil {
			return err
		}
		for _, o := range ops {
			if _, err := insert.Exec(o.Run.ID[:], o.Kind, tracetest.Bytes(o)); err != nil {
				return err
			}
		}
		return tx.Commit()
	})
	b.ReportMetric(float64(b.N*batchOf/2)/b.Elapsed().Seconds(), "runs/s")
}
