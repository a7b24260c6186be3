// Package leftover looks, now and then, for what is left in the world of
// deployments that nobody knows any more, tells of it, and removes it where that
// is beyond doubt.
//
// Deletion works from inventories and looks again before it ends, so there should
// be nothing. What there is all the same was left by a restored database, a lost
// folder, or an error of ours.
//
// # What is removed
//
// Only what places tell of: they know what bears the mark of this installation,
// and nothing is ever pruned for a whole machine or engine. Of that, what the
// store did not know in two looks, half a period apart; which is older than a
// bound, so that what is just being made is not meant; and only while the store
// knows more deployments than it does not: a database that was lost, or replaced
// by an older one, looks like leftovers everywhere, and is no reason to remove
// anything. Before each removal the store is asked again.
//
// What deployments share, such as bundles, goes when it has been nobody's for as
// long as retention says.
//
// # Who may die when
//
// Nothing is written down: who starts anew counts looks from the beginning. Each
// removal is the one that a deletion uses, and may be cut anywhere.
package leftover
