package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/slipwayhq/slipway"
)

// nextOfDeletion works off what is to go of the inventory. A step that does not
// succeed is written there and tried again; it does not keep the others from
// being taken. When all is removed it is looked for again.
func nextOfDeletion(w world) step {
	best, left := step{do: rest, why: "nothing is left of it that is to go"}, false
	consider := func(s step) { best, left = sooner(best, w.unlessPutOff(s)), true }
	for _, kind := range slipway.OrderOfRemoval {
		if kind == slipway.ItemInstance && len(w.Instances) > 0 {
			consider(clearAway(w, w.Instances))
		}
		for _, item := range w.Items {
			if item.Kind == kind && isToGo(w.Assignment, item) {
				consider(nextOfItem(w, item))
			}
		}
	}
	if !left && slices.ContainsFunc(w.Items, removed) {
		return w.unlessPutOff(step{do: lookAgain, why: "all that is to go was removed"})
	}
	return best
}

func nextOfItem(w world, item slipway.Item) step {
	switch item.Kind {
	case slipway.ItemRoute:
	case slipway.ItemBundle, slipway.ItemImage:
		if w.build != nil && !w.build.done {
			return step{do: rest, why: "a build is being cancelled"}
		}
		fallthrough
	default:
		if w.runs() {
			return step{do: rest, why: "what runs is stopped first"}
		}
	}
	return step{do: removeItem, item: item, why: "its deployment is deleted"}
}

// isToGo says whether an item is to be removed now.
func isToGo(a slipway.Assignment, i slipway.Item) bool {
	return !removed(i) && a.Deployment.Deletion.Takes(i.Kind)
}

func removed(i slipway.Item) bool { return !i.RemovedAt.IsZero() }

// toVerify lists the items that were removed, and not looked for again.
func toVerify(a slipway.Assignment) (items []slipway.Item) {
	for _, i := range a.Items {
		if removed(i) {
			items = append(items, i)
		}
	}
	return items
}

// removeItem removes a thing. That it is gone is not believed: see lookAgain.
func (w *worker) removeItem(ctx context.Context, item slipway.Item) error {
	d := w.a.Deployment.ID
	var err error
	shared := false
	switch item.Kind {
	case slipway.ItemRoute:
		w.unroute(d, w.a.Deployment.Generation)
	case slipway.ItemInstance:
		err = w.removeInstance(ctx, slipway.InstanceID(item.Ref))
	case slipway.ItemState:
		if err = w.keepState(ctx); err == nil {
			err = w.driver.Purge(ctx, d)
		}
	case slipway.ItemLogin, slipway.ItemDatabase, slipway.ItemRedis:
		err = w.removeDatabase(ctx, item)
	case slipway.ItemBundle, slipway.ItemImage:
		_, err = w.builder.RemoveUnless(ctx, item.Kind, item.Ref, func() (bool, error) {
			shared, err = w.sync.Disown(ctx, w.lease, item.Kind, item.Ref)
			return shared, err
		})
	}
	switch {
	case err != nil:
		return w.stuck(ctx, item.Kind, item.Ref, err)
	case shared && w.a.Deployment.Deleting():
		w.a.Items = slices.DeleteFunc(slices.Clone(w.a.Items), func(i slipway.Item) bool { return i.Kind == item.Kind && i.Ref == item.Ref })
		return nil // it is written already
	case shared:
		return w.report(ctx)
	}
	return w.gone(ctx, item.Kind, item.Ref, slipway.ItemRemoved{Kind: item.Kind, Ref: item.Ref})
}

// removeInstance removes what no row tells of: the instance of one is gone, and
// what the deployment's own Redis keeps goes later.
func (w *worker) removeInstance(ctx context.Context, i slipway.InstanceID) error {
	if d := w.a.Deployment.ID; i != d.Redis() {
		return w.driver.Delete(ctx, d, i)
	}
	return w.endRedis(ctx)
}

// gone takes a thing that was removed for gone. In a deletion the control plane is
// told with what comes next, so that many things cost one commit: after a death
// they are removed again, and found to be gone.
func (w *worker) gone(ctx context.Context, kind slipway.ItemKind, ref string, e slipway.Event) error {
	if !w.a.Deployment.Deleting() {
		return w.report(ctx, e)
	}
	w.unsaid = append(w.unsaid, e)
	w.a.Items, w.a.Instances = slices.Clone(w.a.Items), slices.Clone(w.a.Instances)
	for n, i := range w.a.Items {
		if i.Kind == kind && i.Ref == ref {
			w.a.Items[n].RemovedAt = w.config.Now()
		}
	}
	w.a.Instances = slices.DeleteFunc(w.a.Instances, func(i slipway.Instance) bool {
		return kind == slipway.ItemInstance && string(i.ID) == ref
	})
	return nil
}

// keepState puts the state elsewhere before it goes, and writes down where: what
// is left of a state that is being removed must not take its place.
func (w *worker) keepState(ctx context.Context) error {
	d := w.a.Deployment
	if w.config.Final == nil || !d.Deletion.Purge || d.Deletion.Snapshot != "" {
		return nil
	}
	if err := w.databaseToKeepIsHere(ctx); err != nil {
		return err
	}
	path, err := w.config.Final.Keep(ctx, d, w.a.Active)
	if path == "" || err != nil {
		return err
	}
	return w.report(ctx, slipway.StateKept{Path: path})
}

// unseen writes down why it can not be told what runs of a deployment that is
// being deleted: nothing of it can be stopped then.
func (w *worker) unseen(ctx context.Context, err error) error {
	if !w.a.Deployment.Deleting() {
		return err
	}
	kept := func(i slipway.Item) bool { return i.Kind != slipway.ItemInstance || !isToGo(w.a, i) }
	return w.allStuck(ctx, slices.DeleteFunc(slices.Clone(w.a.Items), kept), err)
}

// allStuck writes one reason down for several things.
func (w *worker) allStuck(ctx context.Context, items []slipway.Item, err error) error {
	if ctx.Err() != nil || len(items) == 0 {
		return err
	}
	events := make([]slipway.Event, len(items))
	for n, i := range items {
		events[n] = slipway.ItemStuck{Kind: i.Kind, Ref: i.Ref, Reason: err.Error()}
	}
	return errors.Join(err, w.report(ctx, events...))
}

// lookAgain looks for what was removed, and for anything else that there is of a
// deployment and is to go: what it finds is removed after all.
func (w *worker) lookAgain(ctx context.Context) error {
	gone := toVerify(w.a)
	things, err := w.remains(ctx, gone)
	if err != nil {
		return w.allStuck(ctx, gone, fmt.Errorf("look for what is left: %w", err))
	}
	var events []slipway.Event
	var found []error
	for _, t := range things {
		err := fmt.Errorf("%s %s: %s is there", t.Kind, t.Ref, t.What)
		found = append(found, err)
		events = append(events, slipway.ItemFound{Kind: t.Kind, Ref: t.Ref, Reason: err.Error()})
	}
	for _, i := range gone {
		if !slices.ContainsFunc(things, func(t slipway.Thing) bool { return t.Kind == i.Kind && t.Ref == i.Ref }) {
			events = append(events, slipway.ItemVerified{Kind: i.Kind, Ref: i.Ref})
		}
	}
	return errors.Join(errors.Join(found...), w.report(ctx, events...))
}

// remains lists what there is of a deployment that is to go, and what it had of
// what deployments share.
func (w *worker) remains(ctx context.Context, gone []slipway.Item) ([]slipway.Thing, error) {
	d := w.a.Deployment
	things, err := w.driver.Remains(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	if things, err = w.keptByRedis(ctx, things); err != nil {
		return nil, err
	}
	databases, err := w.remainingDatabases(ctx, gone)
	if err != nil {
		return nil, err
	}
	things = slices.DeleteFunc(append(things, databases...), func(t slipway.Thing) bool { return !d.Deletion.Takes(t.Kind) })
	if w.router.Routes(d.ID) {
		things = append(things, slipway.Thing{Kind: slipway.ItemRoute, Ref: string(d.ID), What: "its route"})
	}
	for _, i := range gone {
		if i.Kind != slipway.ItemBundle && i.Kind != slipway.ItemImage {
			continue
		}
		there, err := w.builder.There(ctx, i.Kind, i.Ref)
		if err != nil {
			return nil, err
		}
		things = append(things, there...)
	}
	return things, nil
}
