package reconcile

import "github.com/slipwayhq/slipway"

// orderOfRemoval is the order in which the things of a deleted deployment go:
// nobody may reach it any more, nothing may run, and then what it left.
var orderOfRemoval = []slipway.ItemKind{slipway.ItemRoute, slipway.ItemInstance, slipway.ItemState, slipway.ItemBundle}

// nextOfDeletion works off the inventory. A step that does not succeed is
// written there and tried again; it does not keep the others from being taken.
func nextOfDeletion(w world) step {
	if b := w.build; b != nil && !b.done {
		return step{do: rest, why: "a build is being cancelled"}
	}
	for _, i := range w.Instances {
		if w.running(i) {
			return step{do: drain, instance: i, grace: graceOfUnproved, why: "its deployment is deleted"}
		}
	}
	if len(w.Instances) > 0 {
		return step{do: remove, instance: w.Instances[0], why: "its deployment is deleted"}
	}
	for _, kind := range orderOfRemoval {
		for _, item := range w.Items {
			if item.Kind == kind {
				return step{do: removeItem, item: item, why: "its deployment is deleted"}
			}
		}
	}
	return step{do: rest, why: "nothing is left of it"}
}
