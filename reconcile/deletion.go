package reconcile

import "github.com/slipwayhq/slipway"

// orderOfRemoval is the order in which the things of a deleted deployment go:
// nobody may reach it any more, nothing may run, and then what it left.
var orderOfRemoval = []slipway.ItemKind{slipway.ItemRoute, slipway.ItemInstance, slipway.ItemState, slipway.ItemBundle, slipway.ItemImage}

// nextOfDeletion works off the inventory. A step that does not succeed is
// written there and tried again; it does not keep the others from being taken.
func nextOfDeletion(w world) step {
	if len(w.Instances) > 0 {
		return clearAway(w, w.Instances)
	}
	steps := []step{{do: rest, why: "nothing is left of it"}}
	building := w.build != nil && !w.build.done
	for _, kind := range orderOfRemoval {
		for _, item := range w.Items {
			switch {
			case item.Kind != kind:
			case (kind == slipway.ItemBundle || kind == slipway.ItemImage) && building:
				steps = append(steps, step{do: rest, why: "a build is being cancelled"})
			default:
				steps = append(steps, step{do: removeItem, item: item, why: "its deployment is deleted"})
			}
		}
	}
	return soonest(w, steps...)
}
