package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/sqlite"
	"github.com/slipwayhq/slipway/trace/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Place {
		folder := filepath.Join(t.TempDir(), "traces")
		return storetest.Place{Open: func(t testing.TB) store.Engine { return open(t, folder) }, Blobs: blobs(t)}
	})
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
