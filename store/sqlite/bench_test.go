package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/sqlite"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqliteOpen(t, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func sqliteOpen(t testing.TB, path string) (*sqlite.Store, error) {
	return sqlite.Open(t.Context(), path)
}

func update(t testing.TB, s slipway.Store, fn func(slipway.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkUpdate counts small durable updates: read a deployment, change it,
// write it, by many callers at once.
func BenchmarkUpdate(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "slipway.db"))
	var ids []slipway.DeploymentID
	update(b, s, func(tx slipway.Tx) error {
		w := slipway.Workspace{ID: slipway.NewID[slipway.WorkspaceID](now), Name: "w", CreatedAt: now}
		if err := tx.InsertWorkspace(w); err != nil {
			return err
		}
		for range 100 {
			id := slipway.NewID[slipway.DeploymentID](now)
			ids = append(ids, id)
			d := slipway.Deployment{ID: id, Workspace: w.ID, Name: string(id), Slug: string(id), Status: slipway.Ready, CreatedAt: now}
			if err := tx.InsertDeployment(d); err != nil {
				return err
			}
		}
		return nil
	})
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			err := s.Update(b.Context(), func(tx slipway.Tx) error {
				d, err := tx.Deployment(ids[i%len(ids)])
				if err != nil {
					return err
				}
				d.Generation++
				return tx.UpdateDeployment(&d)
			})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}

// BenchmarkUpdateAlone is one caller, who pays for each commit.
func BenchmarkUpdateAlone(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "slipway.db"))
	for b.Loop() {
		update(b, s, insert(string(slipway.NewID[slipway.WorkspaceID](now))))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}
