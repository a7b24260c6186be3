// Package examples holds apps that can be deployed as they are.
package examples

import (
	"embed"
	"io/fs"
)

//go:embed echo-js/README.md echo-js/langgraph.json echo-js/package.json echo-js/package-lock.json echo-js/src
var files embed.FS

// EchoJS is an app of graphs that need no model, no key and no network.
func EchoJS() fs.FS {
	app, err := fs.Sub(files, "echo-js")
	if err != nil {
		panic(err) // the name is a constant
	}
	return app
}
