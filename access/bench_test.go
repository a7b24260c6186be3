package access_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/access"
	"github.com/slipwayhq/slipway/store/sqlite"
)

// A key in steady use: what each request pays.
func BenchmarkAuthenticate(b *testing.B) {
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "slipway.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	token := slipway.NewToken()
	err = store.Update(b.Context(), func(tx slipway.Tx) error {
		if err := tx.InsertWorkspace(slipway.Workspace{ID: "w", Name: "w", Home: true}); err != nil {
			return err
		}
		return tx.InsertKey(slipway.Key{ID: "k", Workspace: "w", Name: "k", Hash: slipway.HashToken(token)})
	})
	if err != nil {
		b.Fatal(err)
	}
	a := access.New(store, access.Config{Now: time.Now, Rate: 1e9})
	caller := slipway.Caller{Credential: slipway.Credential{Token: token}, Address: "192.0.2.1:1234"}
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := a.Authenticate(b.Context(), caller); err != nil {
				b.Error(err)
			}
		}
	})
}
