// Package trace is what the runs of agents are: the rules of the store of
// traces, without I/O.
//
// A run arrives in parts. One operation posts it when it begins, others patch it
// when more is known, and they arrive in any order, more than once, split as the
// client's queue happened to be. Apply puts them together:
//
//   - what a patch says outranks what the post said, whichever came first; of two
//     patches that say the same field the later one wins;
//   - what is absent or null changes nothing;
//   - a second post of a run is ErrDuplicate and changes nothing;
//   - a run of which no post has come is kept and not shown.
//
// So a run is the same for every order of its post among its patches, and for
// every split of a patch.
//
// A run belongs to the workspace of its operations, and identities are apart from
// workspace to workspace: nobody can patch, or be in the way of, somebody else's
// run. Clocks are the clients': a run may end before it began, or begin in the
// future; it is kept as told, with a latency of 0 for the former.
package trace
