package service_test

import (
	"slices"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// A Redis of a deployment's own is written down once, with a port that nobody else
// has and a password that only its data plane is told, and both are the same for as
// long as the deployment can come back.
func TestRedisServers(t *testing.T) {
	p := newPlane(t)
	ports := slipway.PortRange{First: 20000, Last: 20009}
	one, other := p.acquire(p.create("one").ID), p.acquire(p.create("other").ID)
	items := func(a slipway.Assignment) (open []slipway.ItemKind) {
		for _, i := range a.Items {
			if i.Ref == string(a.Deployment.ID) && i.RemovedAt.IsZero() && i.Kind != slipway.ItemRoute {
				open = append(open, i.Kind)
			}
		}
		slices.Sort(open)
		return open
	}
	password := func(l slipway.Lease) string {
		t.Helper()
		text, err := p.RedisPassword(t.Context(), l)
		must(t, err)
		return text
	}
	a := p.report(one, slipway.RedisServerWanted{Ports: ports})
	if want := []slipway.ItemKind{slipway.ItemInstance, slipway.ItemRedis}; !slices.Equal(items(a), want) || a.RedisPort == 0 {
		t.Fatalf("written down: %q at port %d", items(a), a.RedisPort)
	}
	b := p.report(other, slipway.RedisServerWanted{Ports: ports})
	if a.RedisPort == b.RedisPort || password(one) == password(other) || len(password(one)) < 20 {
		t.Errorf("ports %d and %d, passwords %q and %q", a.RedisPort, b.RedisPort, password(one), password(other))
	}
	port, secret := a.RedisPort, password(one)
	if again := p.report(one, slipway.RedisServerWanted{Ports: ports}); again.RedisPort != port || password(one) != secret {
		t.Errorf("asked for again it is at %d", again.RedisPort)
	}
	if moved := p.report(one, slipway.RedisPortRefused{Ports: ports}); moved.RedisPort == port || moved.RedisPort == b.RedisPort {
		t.Errorf("it has moved from %d to %d", port, moved.RedisPort)
	}
	must(t, p.Release(t.Context(), one, 0, time.Time{}))
	if _, err := p.RedisPassword(t.Context(), one); err == nil {
		t.Error("without the lease it is told")
	}
}
