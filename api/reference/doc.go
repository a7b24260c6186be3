// Package reference renders the API document as a page for people.
//
// The page is one file: it needs no script and loads nothing, so that it can be read from a server without any way to
// the outside. Each operation's anchor is its operation id, each schema's is "schema-" and its name.
package reference
