// Package examples holds apps that can be deployed as they are.
package examples

import (
	"embed"
	"io/fs"
)

//go:embed echo-js/README.md echo-js/langgraph.json echo-js/package.json echo-js/package-lock.json echo-js/src
//go:embed echo-py/README.md echo-py/langgraph.json echo-py/requirements.txt echo-py/graph.py
var files embed.FS

// EchoJS is an app of graphs that need no model, no key and no network.
func EchoJS() fs.FS { return example("echo-js") }

// EchoPy is the same in Python.
func EchoPy() fs.FS { return example("echo-py") }

func example(name string) fs.FS {
	app, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // the names are constants
	}
	return app
}
