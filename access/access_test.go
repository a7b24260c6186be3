package access_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/access"
	"github.com/slipwayhq/slipway/store/sqlite"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// office is a store with one workspace and a clock.
type office struct {
	slipway.Store
	t       *testing.T
	now     time.Time
	ws      slipway.WorkspaceID
	updates int
	broken  error
}

func newOffice(t *testing.T) *office {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	o := &office{Store: store, t: t, now: start, ws: slipway.NewID[slipway.WorkspaceID](start)}
	o.write(func(tx slipway.Tx) error { return tx.InsertWorkspace(slipway.Workspace{ID: o.ws, Name: "w", CreatedAt: start}) })
	return o
}

func (o *office) clock() time.Time { return o.now }

func (o *office) write(fn func(slipway.Tx) error) {
	o.t.Helper()
	if err := o.Store.Update(o.t.Context(), fn); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	o.updates++
	if o.broken != nil {
		return o.broken
	}
	return o.Store.Update(ctx, fn)
}

// key issues a token.
func (o *office) key(edit func(*slipway.Key)) (token string, id slipway.KeyID) {
	token = slipway.NewToken()
	k := slipway.Key{
		ID: slipway.NewID[slipway.KeyID](start), Workspace: o.ws, Name: "k", Hash: slipway.HashToken(token),
		Scopes: []slipway.Scope{slipway.ScopeRead}, CreatedAt: start,
	}
	if edit != nil {
		edit(&k)
	}
	o.write(func(tx slipway.Tx) error { return tx.InsertKey(k) })
	return token, k.ID
}

func TestWhoIsLetIn(t *testing.T) {
	o := newOffice(t)
	keys := access.NewKeys(o, o.clock)
	good, id := o.key(nil)
	soon, _ := o.key(func(k *slipway.Key) { k.ExpiresAt = start.Add(time.Minute) })
	over, _ := o.key(func(k *slipway.Key) { k.ExpiresAt = start })
	revoked, gone := o.key(nil)
	o.write(func(tx slipway.Tx) error { return tx.RevokeKey(gone, start) })

	for _, token := range []string{good, soon} {
		if who, err := keys.Authenticate(t.Context(), token); err != nil || who.Workspace != o.ws || !who.May(slipway.ScopeRead) || who.May(slipway.ScopeAdmin) {
			t.Errorf("a valid key: %+v, %v", who, err)
		}
	}
	if who, _ := keys.Authenticate(t.Context(), good); who.Key != id {
		t.Errorf("the key is %s, want %s", who.Key, id)
	}
	o.now = start.Add(time.Minute)
	for name, token := range map[string]string{
		"expired": over, "just expired": soon, "revoked": revoked, "unknown": slipway.NewToken(), "empty": "", "a hash": slipway.HashToken(good), "cut": good[:len(good)-1],
	} {
		who, err := keys.Authenticate(t.Context(), token)
		if slipway.CodeOf(err) != slipway.CodeUnauthenticated || err.Error() != "Invalid API key." || who.Workspace != "" {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
}

// A key that is revoked is refused from then on, though it was used before.
func TestARevocationCountsAtOnce(t *testing.T) {
	o := newOffice(t)
	keys := access.NewKeys(o, o.clock)
	token, id := o.key(nil)
	if _, err := keys.Authenticate(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	o.write(func(tx slipway.Tx) error { return tx.RevokeKey(id, o.now) })
	if _, err := keys.Authenticate(t.Context(), token); slipway.CodeOf(err) != slipway.CodeUnauthenticated {
		t.Errorf("after the revocation: %v", err)
	}
}

func TestUseIsWrittenDownCoarsely(t *testing.T) {
	o := newOffice(t)
	keys := access.NewKeys(o, o.clock)
	token, _ := o.key(nil)
	last := func() time.Time {
		var k slipway.Key
		if err := o.View(t.Context(), func(tx slipway.Tx) (err error) {
			k, err = tx.KeyByHash(slipway.HashToken(token))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return k.LastUsedAt
	}
	use := func(after time.Duration) {
		t.Helper()
		o.now = start.Add(after)
		if _, err := keys.Authenticate(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		use(time.Minute)
	}
	if !last().Equal(start.Add(time.Minute)) || o.updates != 1 {
		t.Errorf("last used at %v, after %d writes", last(), o.updates)
	}
	use(10 * time.Minute)
	if o.updates != 1 {
		t.Errorf("%d writes within ten minutes", o.updates)
	}
	use(12 * time.Minute)
	if !last().Equal(start.Add(12*time.Minute)) || o.updates != 2 {
		t.Errorf("last used at %v, after %d writes", last(), o.updates)
	}
	keys = access.NewKeys(o, o.clock) // a restart does not write anew
	if use(13 * time.Minute); o.updates != 2 {
		t.Errorf("%d writes after a restart", o.updates)
	}
	o.broken = errors.New("disk full")
	use(time.Hour) // is let in all the same
}

func TestAStoreThatFailsIsNoInvalidKey(t *testing.T) {
	o := newOffice(t)
	keys := access.NewKeys(o, o.clock)
	token, _ := o.key(nil)
	ctx, cancel := context.WithCancel(t.Context())
	o.Close()
	cancel()
	if _, err := keys.Authenticate(ctx, token); err == nil || slipway.CodeOf(err) != "" {
		t.Errorf("with a closed store: %v", err)
	}
}
