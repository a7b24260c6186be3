// Package build makes bundles of sources, and says how they are started.
//
// A bundle is a folder named by a digest of everything that goes into it, known
// before any work is done. So the same input is never built twice, two builds
// of it at once are one, and deployments share what is alike.
//
//	<data>/bundles/<digest>/bundle.json   what it is: kind, configuration, versions
//	<data>/bundles/<digest>/app/          the app, read-only, with its node_modules
//	<data>/cache/…                        what bundles share: dependencies, servers, toolchains
//	<data>/tmp/…                          what is being made or removed
//
// What it promises: a bundle that is there is whole, since it is made in tmp,
// written through and renamed; a death at any line leaves nothing but tmp,
// which the next Open empties. The caller holds the data folder's lock: no other
// process builds in it. Nothing in cache belongs to one deployment.
//
// A *slipway.Failure is final and for the person whose app it is; any other
// error is temporary.
package build
