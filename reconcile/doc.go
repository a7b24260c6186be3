// Package reconcile brings what runs to what is wanted, one deployment at a
// time.
//
// A pass looks at the assignment (what the control plane wants and was told)
// and at the driver (what is there), sets the route, and asks [next] for the
// one step that comes now. A step is idempotent: it may die anywhere inside,
// and the next pass, perhaps in another process, goes on from what it finds.
//
//	            ┌────────────── look ◄─────────────┐
//	claim ──►   │  assignment + observed → route   │  report under the term
//	            └──► next ──► step ────────────────┘
//	                   └────► rest ──► release the lease
//
// What is made is written first: an instance and its port before the process,
// the inventory's item before its folder. What is reported last is what makes
// the outside rely on it: a revision is DEPLOYED only after its instance has
// answered through the public path.
//
// A build runs beside the passes, so that what serves is looked after
// meanwhile. A worker holds the lease while there is work and writes nothing
// when there is none.
//
// What has passed its gate is watched still (settle.go): if it fails again and
// again in its first time, that is reported, and a copy of the revision before
// comes to be deployed as any other. Vitals say what runs and does not do its
// work; to end that, and to count it, is a step here.
//
// A step that fails is put off by itself, longer each time, and the others are
// taken meanwhile; what serves comes before what is to serve, and that before
// what is to go. How long to wait is remembered over leases ([memory]), and is
// all that is lost with the process. After a failed step the assignment is read
// anew, since a report may have arrived whose answer did not.
//
// One worker at a time works on a deployment: a lease that ran out and was taken
// anew ends the worker of the old one before the new one looks.
package reconcile
