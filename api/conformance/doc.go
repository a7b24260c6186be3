// Package conformance holds the contract of the Deployment Control Plane API as
// cases that speak HTTP to a server and know nothing else of it: not how it is
// built, not in what language, not whose it is.
//
// Run runs the cases one after the other and reports each as passed, failed, or
// not run with the reason: a case that lacks what it needs never counts as
// passed. What a case makes bears a name that no other run uses, and is deleted
// at its end; when a run is over, or is cut short, it looks for its names again
// and deletes what it finds.
//
// A case says where the contract says it, and how firmly: a fact (official
// documents or clients say so), observed (clients of others have seen it) or a
// choice (not public; this project's own). Options.FactsOnly leaves choices out.
// Additions to the contract are a group of their own, which runs only against a
// server whose /openapi.json marks additions, or on request.
package conformance
