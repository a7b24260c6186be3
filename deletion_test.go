package slipway_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// Every kind has its place in the order of removal, what serves comes first, and
// the rows that tell of the rest come last.
func TestOrderOfRemoval(t *testing.T) {
	order := slipway.OrderOfRemoval
	before := func(a, b slipway.ItemKind) {
		if slices.Index(order, a) < 0 || slices.Index(order, a) >= slices.Index(order, b) {
			t.Errorf("%s does not go before %s", a, b)
		}
	}
	before(slipway.ItemRoute, slipway.ItemInstance)
	for _, k := range order {
		if !k.Serves() {
			before(slipway.ItemInstance, k)
		}
		if k != slipway.ItemRecords {
			before(k, slipway.ItemRecords)
		}
		if k.Serves() && !k.OnDataPlane() {
			t.Errorf("%s serves, and is not on a data plane", k)
		}
		if kept, gone := (slipway.Deletion{}).Takes(k), (slipway.Deletion{Purge: true}).Takes(k); kept != k.Serves() || !gone {
			t.Errorf("%s goes while the rest is kept aside: %t; in a purge: %t", k, kept, gone)
		}
	}
}

func TestDeletionState(t *testing.T) {
	for want, d := range map[slipway.DeletionState]slipway.Deployment{
		slipway.DeletionStopping: {Status: slipway.AwaitingDelete},
		slipway.DeletionKept:     {Status: slipway.Kept},
		slipway.DeletionPurging:  {Status: slipway.AwaitingFinalDelete, Deletion: slipway.Deletion{Purge: true}},
	} {
		if got := d.DeletionState(); got != want {
			t.Errorf("%+v is %s, want %s", d.Status, got, want)
		}
	}
}

func TestSettled(t *testing.T) {
	at := time.Unix(1, 0)
	for name, c := range map[string]struct {
		item slipway.Item
		want bool
	}{
		"there":                {slipway.Item{}, false},
		"removed":              {slipway.Item{RemovedAt: at}, false},
		"removed and verified": {slipway.Item{RemovedAt: at, VerifiedAt: at}, true},
		"left to others":       {slipway.Item{RemovedAt: at, Shared: true}, true},
		"shared":               {slipway.Item{Shared: true}, false},
	} {
		if c.item.Settled() != c.want {
			t.Errorf("%s: %t", name, c.item.Settled())
		}
	}
}

func TestPart(t *testing.T) {
	at := time.Unix(1, 0)
	item := func(k slipway.ItemKind, ref string) slipway.Item {
		return slipway.Item{Kind: k, Ref: ref, CreatedAt: at}
	}
	shared := item(slipway.ItemBundle, "b")
	shared.Shared = true
	items := []slipway.Item{
		item(slipway.ItemRecords, "d"), shared, item(slipway.ItemProject, "p"), item(slipway.ItemProject, "other"),
		item(slipway.ItemState, "d"), item(slipway.ItemRoute, "d"),
	}
	d := slipway.Deployment{ID: "d", Project: "p"}
	names := func(d slipway.Deployment) (remove, keep []string) {
		gone, left := d.Part(items)
		for _, i := range gone {
			remove = append(remove, string(i.Kind)+" "+i.Ref)
		}
		for _, k := range left {
			if k.Why == "" || k.Since != at {
				t.Errorf("%+v says too little", k)
			}
			keep = append(keep, string(k.Kind)+" "+k.Ref)
		}
		return remove, keep
	}
	remove, keep := names(d)
	if !slices.Equal(remove, []string{"route d", "state d", "records d"}) || !slices.Equal(keep, []string{"bundle b", "tracing_project p", "tracing_project other"}) {
		t.Errorf("removed %q, kept %q", remove, keep)
	}
	d.DeleteProject = true
	remove, keep = names(d)
	if !slices.Equal(remove, []string{"route d", "state d", "tracing_project p", "records d"}) || !slices.Equal(keep, []string{"bundle b", "tracing_project other"}) {
		t.Errorf("with the project: removed %q, kept %q", remove, keep)
	}
}

func TestReceiptDone(t *testing.T) {
	at, end := time.Unix(1, 0), time.Unix(2, 0)
	open := slipway.DeletionReceipt{At: at, State: slipway.DeletionPurging, Items: []slipway.Item{
		{Kind: slipway.ItemState, RemovedAt: at, VerifiedAt: at}, {Kind: slipway.ItemProject, RemovedAt: at, VerifiedAt: at}, {Kind: slipway.ItemLogs}, {Kind: slipway.ItemRecords},
	}}
	before := slices.Clone(open.Items)
	done := open.Done(end)
	if done.State != slipway.DeletionDone || done.DoneAt != end || done.GoneAt != end {
		t.Errorf("done: %+v", done)
	}
	for n, i := range done.Items {
		if want := map[bool]time.Time{true: at, false: end}[n < 2]; i.RemovedAt != want || i.VerifiedAt != want {
			t.Errorf("%+v", i)
		}
	}
	if !reflect.DeepEqual(open.Items, before) {
		t.Error("the items of the open receipt were changed")
	}
	open.GoneAt = at
	if done := open.Done(end); done.GoneAt != at {
		t.Errorf("it was gone at %v, now at %v", at, done.GoneAt)
	}
}
