package reconcile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"

	"github.com/slipwayhq/slipway"
)

// table is a gateway that knows who is routed.
type table struct {
	slipway.Router
	routed map[slipway.DeploymentID]bool
}

func (t table) Route(r slipway.Route)          { t.routed[r.Deployment] = true }
func (t table) Unroute(d slipway.DeploymentID) { delete(t.routed, d) }

// Whoever knows the deployment only as it was before its end does not bring its
// route back; a restore does.
func TestNoPassBringsARouteBack(t *testing.T) {
	gateway := table{routed: map[slipway.DeploymentID]bool{}}
	r := &Reconciler{router: gateway, closed: map[slipway.DeploymentID]int64{}}
	route := slipway.Route{Deployment: "d"}
	r.route(route, 3)
	r.Unroute("d", 4)
	r.route(route, 3)
	r.unroute("d", 3)
	r.route(route, 3)
	if gateway.routed["d"] {
		t.Error("a pass from before the deletion set the route")
	}
	r.route(route, 5)
	if !gateway.routed["d"] {
		t.Error("a restore has no route")
	}
	r.Unroute("d", 6)
	r.unroute("d", 6)
	if len(r.closed) > 0 {
		t.Errorf("what is over is remembered: %v", r.closed)
	}
}

// stock is a driver with a state, or none.
type stock struct {
	slipway.Driver
	state  string
	purged *bool
}

func (s stock) Export(_ context.Context, _ slipway.DeploymentID, w io.Writer) error {
	if s.state == "" {
		return slipway.ErrNoState
	}
	_, err := io.WriteString(w, s.state)
	return err
}

func (s stock) Purge(context.Context, slipway.DeploymentID) error { *s.purged = true; return nil }

// ledger takes reports as a control plane does that has one deployment.
type ledger struct {
	slipway.Sync
	a      *slipway.Assignment
	events *[]slipway.Event
}

func (l ledger) Report(_ context.Context, _ slipway.Lease, events ...slipway.Event) (slipway.Assignment, error) {
	*l.events = append(*l.events, events...)
	for _, e := range events {
		if e, ok := e.(slipway.StateExported); ok {
			l.a.Deployment.Deletion.Snapshot = e.Where
		}
	}
	return *l.a, nil
}

// shelf is a vault that may be full.
type shelf struct {
	text bytes.Buffer
	full bool
}

func (s *shelf) Store(_ slipway.Deployment, write func(io.Writer) error) (string, error) {
	if s.full {
		return "", errors.New("no space left on device")
	}
	return "shelf", write(&s.text)
}

// State is removed after it was put away, if it is to be, and not where that
// fails.
func TestLastStateIsPutAway(t *testing.T) {
	for name, c := range map[string]struct {
		state, stored string
		full, purged  bool
		where         string
	}{
		"state":          {state: "memories", stored: "memories", purged: true, where: "shelf"},
		"none":           {purged: true},
		"a full shelf":   {state: "memories", full: true},
		"stored already": {state: "memories", where: "before", purged: true},
	} {
		t.Run(name, func(t *testing.T) {
			purged, events, vault := false, []slipway.Event{}, &shelf{full: c.full}
			a := slipway.Assignment{Deployment: slipway.Deployment{ID: "d", Deletion: slipway.Deletion{Purge: true}}}
			if c.stored == "" {
				a.Deployment.Deletion.Snapshot = c.where
			}
			w := newWorker(&Reconciler{
				sync: ledger{a: &a, events: &events}, driver: stock{state: c.state, purged: &purged},
				config: Config{Vault: vault, Logger: slog.New(slog.DiscardHandler)},
			}, slipway.Claim{Assignment: a}, func() {})
			err := w.removeItem(t.Context(), slipway.Item{Kind: slipway.ItemState, Ref: "d"})
			if c.full == (err == nil) || purged != c.purged || vault.text.String() != c.stored || a.Deployment.Deletion.Snapshot != c.where {
				t.Errorf("%v; purged %t, stored %q, written down %q", err, purged, vault.text.String(), a.Deployment.Deletion.Snapshot)
			}
		})
	}
}
