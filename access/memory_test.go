package access_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/access"
)

// counted counts what is asked of a store, and lets a test act between what a
// View saw and what becomes of it.
type counted struct {
	slipway.Store
	views     atomic.Int64
	meanwhile func()
}

func (c *counted) View(ctx context.Context, fn func(slipway.Tx) error) error {
	c.views.Add(1)
	err := c.Store.View(ctx, fn)
	if act := c.meanwhile; act != nil {
		c.meanwhile = nil
		act()
	}
	return err
}

func counting(t *testing.T) (*setting, *counted) {
	s := newSetting(t, access.Config{})
	c := &counted{Store: s.store}
	s.Authority = access.New(c, access.Config{Now: func() time.Time { return s.now }})
	return s, c
}

func TestABusyKeyCostsNoTransactions(t *testing.T) {
	s, c := counting(t)
	token := s.key("k", func(*slipway.Key) {})
	use := func() {
		t.Helper()
		if _, err := s.ask(token); err != nil {
			t.Fatal(err)
		}
	}
	use()
	asked := c.views.Load()
	for range 100 {
		use()
	}
	if got := c.views.Load(); got != asked {
		t.Errorf("%d questions of the store for 100 requests", got-asked)
	}
	s.now = s.now.Add(2 * time.Second)
	use()
	if got := c.views.Load(); got == asked {
		t.Error("after two seconds the store was not asked again")
	}
}

func TestRevocationsTakeEffectAtOnce(t *testing.T) {
	s, c := counting(t)
	token := s.key("k", func(*slipway.Key) {})
	if _, err := s.ask(token); err != nil {
		t.Fatal(err)
	}
	s.update(func(tx slipway.Tx) error { return tx.RevokeKey("k", s.now) })
	s.Forget()
	if _, err := s.ask(token); slipway.CodeOf(err) != slipway.CodeUnauthenticated {
		t.Errorf("a revoked key: %v", err)
	}

	// Another key is revoked just after a request has read it.
	token = s.key("l", func(*slipway.Key) {})
	c.meanwhile = func() {
		s.update(func(tx slipway.Tx) error { return tx.RevokeKey("l", s.now) })
		s.Forget()
	}
	if _, err := s.ask(token); err != nil {
		t.Fatalf("the request that read it before: %v", err)
	}
	if _, err := s.ask(token); slipway.CodeOf(err) != slipway.CodeUnauthenticated {
		t.Errorf("what was read before the revocation was remembered: %v", err)
	}
}

func TestAnotherServersRevocationTakesEffectWithinSeconds(t *testing.T) {
	s := newSetting(t, access.Config{})
	token := s.key("k", func(*slipway.Key) {})
	_, _ = s.ask(token)
	s.update(func(tx slipway.Tx) error { return tx.RevokeKey("k", s.now) })
	s.now = s.now.Add(2 * time.Second)
	if _, err := s.ask(token); slipway.CodeOf(err) != slipway.CodeUnauthenticated {
		t.Errorf("after two seconds: %v", err)
	}
}

func TestExpiryIsExact(t *testing.T) {
	s := newSetting(t, access.Config{})
	token := s.key("k", func(k *slipway.Key) { k.ExpiresAt = start.Add(time.Second) })
	s.now = start.Add(time.Second - 1)
	if _, err := s.ask(token); err != nil {
		t.Errorf("just before: %v", err)
	}
	s.now = start.Add(time.Second)
	if _, err := s.ask(token); slipway.CodeOf(err) != slipway.CodeUnauthenticated {
		t.Errorf("at its end, though remembered: %v", err)
	}
}
