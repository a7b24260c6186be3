package access_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/access"
	"github.com/slipwayhq/slipway/internal/enginetest"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) { enginetest.Main(m) }

// setting is a store with a workspace, and a clock that a test turns.
type setting struct {
	*access.Authority
	t     *testing.T
	store slipway.Store
	now   time.Time
}

func newSetting(t *testing.T, config access.Config) *setting {
	t.Helper()
	store := enginetest.Open(t)
	s := &setting{t: t, store: store, now: start}
	config.Now = func() time.Time { return s.now }
	s.Authority = access.New(store, config)
	s.update(func(tx slipway.Tx) error {
		if err := tx.InsertWorkspace(slipway.Workspace{ID: "w", Name: "default", Home: true, CreatedAt: start}); err != nil {
			return err
		}
		return tx.InsertWorkspace(slipway.Workspace{ID: "v", Name: "other", CreatedAt: start})
	})
	return s
}

// ask calls the control plane with a token as X-Api-Key.
func (s *setting) ask(token string) (slipway.Principal, error) {
	return s.Authenticate(s.t.Context(), slipway.Caller{Credential: slipway.Credential{Token: token}})
}

func (s *setting) update(fn func(slipway.Tx) error) {
	s.t.Helper()
	if err := s.store.Update(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

// key makes a key and returns its token.
func (s *setting) key(id slipway.KeyID, edit func(*slipway.Key)) string {
	s.t.Helper()
	token := slipway.NewToken()
	k := slipway.Key{ID: id, Workspace: "w", Name: "test", Hash: slipway.HashToken(token), Scopes: []slipway.Scope{slipway.ScopeRead}, CreatedAt: start}
	edit(&k)
	s.update(func(tx slipway.Tx) error { return tx.InsertKey(k) })
	return token
}

func (s *setting) lastUsed(token string) time.Time {
	s.t.Helper()
	var k slipway.Key
	err := s.store.View(s.t.Context(), func(tx slipway.Tx) (err error) {
		k, err = tx.KeyByHash(slipway.HashToken(token))
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return k.LastUsedAt
}

func TestWhoPresentsAKey(t *testing.T) {
	s := newSetting(t, access.Config{})
	good := s.key("good", func(*slipway.Key) {})
	lasting := s.key("lasting", func(k *slipway.Key) { k.ExpiresAt = start.Add(time.Hour) })
	expired := s.key("expired", func(k *slipway.Key) { k.ExpiresAt = start })
	revoked := s.key("revoked", func(*slipway.Key) {})
	s.update(func(tx slipway.Tx) error { return tx.RevokeKey("revoked", start) })

	for _, token := range []string{good, lasting} {
		p, err := s.ask(token)
		if err != nil || p.Workspace != "w" || !p.May(slipway.ScopeRead) || p.May(slipway.ScopeDeploy) {
			t.Errorf("a valid key: %+v, %v", p, err)
		}
	}
	for name, token := range map[string]string{
		"empty": "", "unknown": slipway.NewToken(), "the hash itself": slipway.HashToken(good), "expired": expired, "revoked": revoked,
	} {
		p, err := s.ask(token)
		if slipway.CodeOf(err) != slipway.CodeUnauthenticated || err.Error() != "Invalid API key." || p.Workspace != "" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	s.now = start.Add(time.Hour)
	if _, err := s.ask(lasting); err == nil {
		t.Error("a key outlived its time")
	}
}

func TestUseIsWrittenCoarsely(t *testing.T) {
	s := newSetting(t, access.Config{})
	token := s.key("k", func(*slipway.Key) {})
	use := func(at time.Time) time.Time {
		s.now = at
		if _, err := s.ask(token); err != nil {
			t.Fatal(err)
		}
		return s.lastUsed(token)
	}
	if got := use(start); !got.Equal(start) {
		t.Errorf("after the first use: %v", got)
	}
	if got := use(start.Add(9 * time.Minute)); !got.Equal(start) {
		t.Errorf("it was written again after 9 minutes: %v", got)
	}
	later := start.Add(11 * time.Minute)
	if got := use(later); !got.Equal(later) {
		t.Errorf("it was not written after 11 minutes: %v", got)
	}
}

func TestAStoreThatFailsIsNoWrongKey(t *testing.T) {
	s := newSetting(t, access.Config{})
	token := s.key("k", func(*slipway.Key) {})
	s.store.Close()
	if _, err := s.ask(token); err == nil || slipway.CodeOf(err) != "" {
		t.Errorf("with the store closed: %v", err)
	}
}

// An agent's key is good for its traces, and at the control plane for nothing.
func TestWhoTraces(t *testing.T) {
	s := newSetting(t, access.Config{Rate: 1, Burst: 1})
	s.update(func(tx slipway.Tx) error {
		return tx.InsertDeployment(slipway.Deployment{ID: "d", Workspace: "w", Name: "app", Status: slipway.Ready, CreatedAt: start})
	})
	agent := s.key("agent", func(k *slipway.Key) { k.Deployment = "d" })
	person := s.key("person", func(*slipway.Key) {})
	organisation := s.key("organisation", func(k *slipway.Key) { k.Workspace = "" })
	for name, c := range map[string]struct {
		token, tenant string
		want          slipway.Principal
		code          slipway.Code
	}{
		"an agent":                  {agent, "", slipway.Principal{Key: "agent", Workspace: "w", Home: true, Deployment: "d"}, ""},
		"an agent, named":           {agent, "W", slipway.Principal{Key: "agent", Workspace: "w", Home: true, Deployment: "d"}, ""},
		"an agent, elsewhere":       {agent, "v", slipway.Principal{}, slipway.CodeForbidden},
		"a person":                  {person, "", slipway.Principal{Key: "person", Workspace: "w", Home: true}, ""},
		"the organisation":          {organisation, "v", slipway.Principal{Key: "organisation", Workspace: "v", Organisation: true}, ""},
		"the organisation, nowhere": {organisation, "", slipway.Principal{}, slipway.CodeForbidden},
		"nobody":                    {slipway.NewToken(), "", slipway.Principal{}, slipway.CodeUnauthenticated},
	} {
		for range 3 { // it has no limit
			got, err := s.Tracer(t.Context(), slipway.Caller{Credential: slipway.Credential{Token: c.token}, Tenant: c.tenant, Address: "192.0.2.1:80"})
			got.Scopes = nil
			if slipway.CodeOf(err) != c.code || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	}
	if _, err := s.ask(agent); slipway.CodeOf(err) != slipway.CodeForbidden {
		t.Errorf("an agent at the control plane: %v", err)
	}
}
