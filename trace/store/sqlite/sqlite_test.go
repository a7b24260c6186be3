package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/sqlite"
	"github.com/slipwayhq/slipway/trace/store/storetest"
	"github.com/slipwayhq/slipway/trace/tracetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Place {
		folder := filepath.Join(t.TempDir(), "traces")
		return storetest.Place{Open: func(t testing.TB) store.Engine { return open(t, folder) }, Blobs: blobs(t)}
	})
}

// A project that goes gives its space back to the disk.
func TestSpaceComesBack(t *testing.T) {
	s := store.New(open(t, t.TempDir()), blobs(t), store.Config{})
	defer s.Close()
	now := time.Now().UTC()
	f := tracetest.NewTraffic(1, now)
	var ops []trace.Op
	for range 500 {
		ops = append(ops, f.Trace(now)...)
	}
	if _, err := s.Write(t.Context(), ops); err != nil {
		t.Fatal(err)
	}
	before := size(t, s)
	for left := 1; left > 0; {
		var err error
		if left, err = s.DeleteProject(t.Context(), f.Project); err != nil {
			t.Fatal(err)
		}
	}
	if after := size(t, s); after > before/4 {
		t.Errorf("%d bytes have become %d", before, after)
	}
}

func size(t testing.TB, s *store.Store) (bytes int64) {
	t.Helper()
	days, err := s.Days(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range days {
		bytes += d.Bytes
	}
	return bytes
}

func open(t testing.TB, folder string) *sqlite.Engine {
	t.Helper()
	e, err := sqlite.Open(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func blobs(t testing.TB) *blob.Folder {
	t.Helper()
	f, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}
