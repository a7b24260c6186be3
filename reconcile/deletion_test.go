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
	"github.com/slipwayhq/slipway/internal/turn"
)

// holdings is what a driver has.
type holdings struct {
	slipway.Driver
	things []slipway.Thing
	err    error
}

func (h holdings) Remains(context.Context, slipway.DeploymentID) ([]slipway.Thing, error) {
	return h.things, h.err
}

// artefacts are what a builder has.
type artefacts struct {
	Builder
	things []slipway.Thing
}

func (a artefacts) There(_ context.Context, kind slipway.ItemKind, ref string) ([]slipway.Thing, error) {
	return slices.DeleteFunc(slices.Clone(a.things), func(t slipway.Thing) bool { return t.Kind != kind || t.Ref != ref }), nil
}

func (t table) Routes(d slipway.DeploymentID) bool { return t.routed[d] }

// ledger takes reports.
type ledger struct {
	slipway.Sync
	events *[]slipway.Event
}

func (l ledger) Report(_ context.Context, _ slipway.Lease, events ...slipway.Event) (slipway.Assignment, error) {
	*l.events = append(*l.events, events...)
	return slipway.Assignment{}, nil
}

// What was removed is verified only if a look does not find it, and what a look
// finds is to be removed, whether it is known or not.
func TestLookAgain(t *testing.T) {
	thing := func(k slipway.ItemKind, ref string) slipway.Thing {
		return slipway.Thing{Kind: k, Ref: ref, What: "it"}
	}
	verified := func(k slipway.ItemKind, ref string) slipway.Event { return slipway.ItemVerified{Kind: k, Ref: ref} }
	found := func(k slipway.ItemKind, ref string) slipway.Event {
		return slipway.ItemFound{Kind: k, Ref: ref, Reason: string(k) + " " + ref + ": it is there"}
	}
	broken := errors.New("the engine does not answer")
	unsure := func(k slipway.ItemKind, ref string) slipway.Event {
		return slipway.ItemStuck{Kind: k, Ref: ref, Reason: "look for what is left: the engine does not answer"}
	}
	for name, c := range map[string]struct {
		kept   bool // aside: only what serves is to go
		routed bool
		own    []slipway.Thing
		made   []slipway.Thing
		err    error
		want   []slipway.Event
	}{
		"nothing is there": {want: []slipway.Event{verified(slipway.ItemRoute, "d"), verified(slipway.ItemState, "d"), verified(slipway.ItemBundle, "b")}},
		"a state is": {
			own:  []slipway.Thing{thing(slipway.ItemState, "d")},
			want: []slipway.Event{found(slipway.ItemState, "d"), verified(slipway.ItemRoute, "d"), verified(slipway.ItemBundle, "b")},
		},
		"a stranger's bundle is": {
			made: []slipway.Thing{thing(slipway.ItemBundle, "other")},
			want: []slipway.Event{verified(slipway.ItemRoute, "d"), verified(slipway.ItemState, "d"), verified(slipway.ItemBundle, "b")},
		},
		"its bundle is": {
			made: []slipway.Thing{thing(slipway.ItemBundle, "b")},
			want: []slipway.Event{found(slipway.ItemBundle, "b"), verified(slipway.ItemRoute, "d"), verified(slipway.ItemState, "d")},
		},
		"an instance is that nobody knows": {
			own: []slipway.Thing{thing(slipway.ItemInstance, "i")},
			want: []slipway.Event{
				found(slipway.ItemInstance, "i"), verified(slipway.ItemRoute, "d"), verified(slipway.ItemState, "d"), verified(slipway.ItemBundle, "b"),
			},
		},
		"what is kept aside is": {
			kept: true, own: []slipway.Thing{thing(slipway.ItemState, "d")},
			want: []slipway.Event{verified(slipway.ItemRoute, "d"), verified(slipway.ItemState, "d"), verified(slipway.ItemBundle, "b")},
		},
		"a route is": {
			routed: true,
			want:   []slipway.Event{slipway.ItemFound{Kind: slipway.ItemRoute, Ref: "d", Reason: "route d: its route is there"}, verified(slipway.ItemState, "d"), verified(slipway.ItemBundle, "b")},
		},
		"nobody can say": {err: broken, want: []slipway.Event{unsure(slipway.ItemRoute, "d"), unsure(slipway.ItemState, "d"), unsure(slipway.ItemBundle, "b")}},
	} {
		t.Run(name, func(t *testing.T) {
			var events []slipway.Event
			a := slipway.Assignment{Deployment: slipway.Deployment{ID: "d", Deletion: slipway.Deletion{Purge: !c.kept}}}
			for _, i := range []slipway.Item{{Kind: slipway.ItemRoute, Ref: "d"}, {Kind: slipway.ItemState, Ref: "d"}, {Kind: slipway.ItemBundle, Ref: "b"}} {
				i.RemovedAt = t0
				a.Items = append(a.Items, i)
			}
			w := newWorker(&Reconciler{
				sync: ledger{events: &events}, driver: holdings{things: c.own, err: c.err}, builder: artefacts{things: c.made},
				router: table{routed: map[slipway.DeploymentID]bool{"d": c.routed}}, config: Config{Logger: slog.New(slog.DiscardHandler)},
			}, slipway.Claim{Assignment: a}, func() {})
			err := w.lookAgain(t.Context())
			if !reflect.DeepEqual(events, c.want) {
				t.Errorf("reported %v, want %v", events, c.want)
			}
			clean := len(c.want) == 3 && c.want[0] == verified(slipway.ItemRoute, "d")
			if clean != (err == nil) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

// blind is a driver that can not tell what runs.
type blind struct{ slipway.Driver }

func (blind) Inspect(context.Context, slipway.DeploymentID, slipway.InstanceID) (slipway.Observed, error) {
	return slipway.Observed{}, errors.New("the engine does not answer")
}

// What can not be looked at can not be stopped: that is the reason, where it is to
// be.
func TestNothingSeen(t *testing.T) {
	for name, c := range map[string]struct {
		deletion slipway.Deletion
		want     [][]slipway.Event
	}{
		"serving": {},
		"deleted": {slipway.Deletion{At: t0, Purge: true}, [][]slipway.Event{{
			slipway.ItemStuck{Kind: slipway.ItemInstance, Ref: "i", Reason: "inspect instance i: the engine does not answer"},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sparing{}
			w := spared(s, &bytes.Buffer{}, c.deletion)
			w.driver, w.config.Turns = blind{}, turn.Of(1, turn.Limit)
			if _, err := w.pass(t.Context()); err == nil || !reflect.DeepEqual(s.reports, c.want) {
				t.Errorf("%v, reported %v", err, s.reports)
			}
		})
	}
}

// slow is a driver that takes the time to remove things in which others work.
type slow struct {
	remover
	meanwhile func()
}

func (slow) Inspect(context.Context, slipway.DeploymentID, slipway.InstanceID) (slipway.Observed, error) {
	return slipway.Observed{Phase: slipway.PhaseExited}, nil
}

func (s slow) Delete(context.Context, slipway.DeploymentID, slipway.InstanceID) error {
	s.meanwhile()
	return nil
}

// Who waits for a driver to remove something has no turn meanwhile, and takes one
// again afterwards.
func TestNoTurnWhileADriverIsWaitedFor(t *testing.T) {
	turns := turn.Of(1, time.Hour)
	w := spared(&sparing{}, &bytes.Buffer{}, slipway.Deletion{At: t0, Purge: true})
	w.a.Items = slices.DeleteFunc(w.a.Items, func(i slipway.Item) bool { return i.Kind == slipway.ItemRoute })
	removed := false
	w.config.Turns, w.driver = turns, slow{meanwhile: func() {
		removed = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		other, err := turns.Take(ctx)
		if err != nil {
			t.Errorf("nobody else has a turn: %v", err)
		}
		other.Give()
	}}
	for range 5 {
		if _, err := w.pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		if removed {
			break
		}
	}
	if !removed {
		t.Fatal("nothing was removed")
	}
	if err := w.takeTurn(t.Context()); err != nil || !w.turn.Held() {
		t.Errorf("it goes on without a turn: %v", err)
	}
	w.turn.Give()
}
