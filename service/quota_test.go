package service_test

import (
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
)

// That a database is full is in the health of its deployment, and told to those who
// follow it, until it is known to take changes again. What has other troubles keeps
// them.
func TestAFullDatabaseIsTold(t *testing.T) {
	p := newPlane(t)
	d, l := p.based("app")
	measured := func(usage *slipway.DatabaseUsage) slipway.Health {
		t.Helper()
		must(t, p.Measured(t.Context(), "test", []slipway.Sample{{Deployment: d.ID, Replicas: 1, At: p.clock(), Database: usage}, {Deployment: "gone", At: p.clock(), Database: usage}}))
		v, err := p.Get(t.Context(), p.who, d.ID)
		must(t, err)
		return v.HealthNow()
	}
	full, roomy := &slipway.DatabaseUsage{Bytes: 9, Full: true}, &slipway.DatabaseUsage{Bytes: 7}
	if h := measured(roomy); h.State != slipway.Healthy {
		t.Errorf("with room it is %+v", h)
	}
	told := measured(full)
	if told.State != slipway.Unhealthy || !strings.Contains(told.Reason, "--agent-database-size") || told.Since.IsZero() {
		t.Errorf("full, it is %+v", told)
	}
	p.pass(1)
	if h := measured(full); h != told {
		t.Errorf("full still, it is %+v, it was %+v", h, told)
	}
	if h := measured(nil); h != told {
		t.Errorf("while its server does not tell, it is %+v", h)
	}
	crashed := slipway.Health{State: slipway.Restarts, Reason: "it crashed"}
	p.report(l, slipway.HealthChanged{Health: crashed})
	if h := measured(full); h.State != crashed.State || h.Reason != crashed.Reason {
		t.Errorf("crashed and full, it is %+v", h)
	}
	p.report(l, slipway.HealthChanged{Health: slipway.Health{State: slipway.Healthy}})
	version := p.report(l).Deployment.Version
	if measured(full); p.report(l).Deployment.Version != version {
		t.Error("what has not changed was written")
	}
	if h := measured(roomy); h.State != slipway.Healthy {
		t.Errorf("with room again it is %+v", h)
	}
}
