package reconcile

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// sparing takes reports, each with all its events, and fails them with err.
type sparing struct {
	slipway.Sync
	reports [][]slipway.Event
	a       slipway.Assignment
	err     error
}

func (s *sparing) Report(_ context.Context, _ slipway.Lease, events ...slipway.Event) (slipway.Assignment, error) {
	s.reports = append(s.reports, events)
	return s.a, s.err
}

// remover removes all that it is asked to.
type remover struct{ slipway.Driver }

func (remover) Purge(context.Context, slipway.DeploymentID) error { return nil }
func (remover) Delete(context.Context, slipway.DeploymentID, slipway.InstanceID) error {
	return nil
}

func (remover) Remains(context.Context, slipway.DeploymentID) ([]slipway.Thing, error) {
	return nil, nil
}

type deaf struct{}

func (deaf) Follow(slipway.Instance)                    {}
func (deaf) Finish(context.Context, slipway.InstanceID) {}

func spared(s *sparing, log *bytes.Buffer, deletion slipway.Deletion) *worker {
	i := slipway.Instance{ID: "i", Deployment: "d"}
	s.a = slipway.Assignment{
		Deployment: slipway.Deployment{ID: "d", Status: slipway.AwaitingDelete, Deletion: deletion},
		Instances:  []slipway.Instance{i},
		Items:      []slipway.Item{{Kind: slipway.ItemInstance, Ref: "i"}, {Kind: slipway.ItemState, Ref: "d"}, {Kind: slipway.ItemRoute, Ref: "d"}},
	}
	if deletion == (slipway.Deletion{}) {
		s.a.Deployment.Status = slipway.Ready
	}
	w := newWorker(&Reconciler{
		sync: s, driver: remover{}, outputs: deaf{}, builder: artefacts{}, router: table{}, closed: map[slipway.DeploymentID]int64{},
		config: Config{Logger: slog.New(slog.NewTextHandler(log, nil)), Now: func() time.Time { return t0 }, Vitals: unwatched{}},
	}, slipway.Claim{Assignment: s.a}, func() {})
	w.memory = newMemory()
	return w
}

func (s *sparing) step(t *testing.T, w *worker, do step) {
	t.Helper()
	if err := w.tryStep(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}

// What a deletion removes is told in one report, with what a look found of it.
func TestRemovedTogether(t *testing.T) {
	s := &sparing{}
	w := spared(s, &bytes.Buffer{}, slipway.Deletion{Purge: true})
	before := slices.Clone(s.a.Items)
	s.step(t, w, step{do: remove, instance: s.a.Instances[0]})
	s.step(t, w, step{do: removeItem, item: s.a.Items[1]})
	if len(s.reports) > 0 || len(w.a.Instances) > 0 || len(toVerify(w.a)) != 2 {
		t.Errorf("reported %v, and it is seen %+v", s.reports, w.a)
	}
	if !reflect.DeepEqual(s.a.Items, before) {
		t.Error("what the control plane handed out was changed")
	}
	w.a.Items = w.a.Items[:2]
	s.step(t, w, step{do: lookAgain})
	want := [][]slipway.Event{{
		slipway.InstanceGone{Instance: "i"},
		slipway.ItemRemoved{Kind: slipway.ItemState, Ref: "d"},
		slipway.ItemVerified{Kind: slipway.ItemInstance, Ref: "i"},
		slipway.ItemVerified{Kind: slipway.ItemState, Ref: "d"},
	}}
	if !reflect.DeepEqual(s.reports, want) {
		t.Errorf("reported %v, want %v", s.reports, want)
	}
}

// Of a report that was lost nothing is told again: what was removed is looked at
// anew. What is kept up tells at once.
func TestLostReportOfRemovals(t *testing.T) {
	s := &sparing{err: errors.New("lost")}
	w := spared(s, &bytes.Buffer{}, slipway.Deletion{Purge: true})
	s.step(t, w, step{do: removeItem, item: s.a.Items[1]})
	if err := w.report(t.Context()); err == nil || len(w.unsaid) > 0 || !w.stale {
		t.Errorf("left to say: %v, %v", w.unsaid, err)
	}
	s = &sparing{}
	w = spared(s, &bytes.Buffer{}, slipway.Deletion{})
	s.step(t, w, step{do: removeItem, item: s.a.Items[1]})
	if len(s.reports) != 1 {
		t.Errorf("reported %v", s.reports)
	}
}

// A deletion that comes between a look and a step is nothing to be warned of, and
// nothing to wait for.
func TestDeletedMeanwhile(t *testing.T) {
	var log bytes.Buffer
	s := &sparing{err: slipway.ErrDeleting}
	w := spared(s, &log, slipway.Deletion{})
	s.step(t, w, step{do: deploy, revision: revision("r", slipway.AwaitingDeploy, "shared")})
	if log.Len() > 0 || !w.stale || len(w.later) > 0 {
		t.Errorf("logged %q, waits for %v", log.String(), w.later)
	}
}
