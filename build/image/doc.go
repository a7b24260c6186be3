// Package image makes images of sources in a Docker Engine.
//
//	langgraph.json ──▶ recipe: a Dockerfile, files of ours, what is secret
//	source ─────────▶ context: a tar, streamed as it is read
//	base ───────────▶ pinned, and FROM says it by digest
//
// What it promises: nothing of an app's configuration becomes an instruction but
// its dockerfile_lines; a secret is mounted for the commands that need it and is
// in no layer; an image is made once for all that goes into it, and found again
// by its tag; a build that is cancelled is cancelled in the engine; what is
// removed is ours, by its label.
//
// A *slipway.Failure is final and for the person whose app it is; any other
// error is temporary.
package image
