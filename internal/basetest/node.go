package basetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// findNode returns this machine's Node and the folder of its npm.
func findNode() (node, npm string, err error) {
	node, err = exec.LookPath("node")
	if err != nil {
		return "", "", fmt.Errorf("no Node is installed, from which to make a base image: %w", err)
	}
	link, err := exec.LookPath("npm")
	if err != nil {
		return "", "", err
	}
	cli, err := filepath.EvalSymlinks(link) // …/npm/bin/npm-cli.js
	return node, filepath.Dir(filepath.Dir(cli)), err
}

// nodeServer adds a server of JavaScript apps, installed from its lock.
func nodeServer(node, npm string, files map[string][]byte) func(rootfs) error {
	return func(r rootfs) error {
		if err := nodejs(node, npm)(r); err != nil {
			return err
		}
		for name, content := range files {
			file := r.at("/api/" + name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, content, 0o644)); err != nil {
				return err
			}
		}
		return r.run("/usr/local/bin/node", "/usr/local/bin/npm", "--prefix", "/api", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", "/tmp/npm")
	}
}

// serveHere runs the app in the image's working folder, as the vendor's image
// does.
const serveHere = `mkdir -p /tmp/state && SLIPWAY_APP_DIR=$PWD SLIPWAY_STATE_DIR=/tmp/state HOST=0.0.0.0 PORT=${PORT:-8000} exec node /api/serve.mjs`

func nodejs(node, npm string) func(rootfs) error {
	return func(r rootfs) error {
		none := func(string) bool { return false }
		return errors.Join(
			r.lay(),
			r.copyAs(node, "/usr/local/bin/node"),
			r.copyTree(npm, "/usr/local/lib/node_modules/npm", none),
			os.Symlink("../lib/node_modules/npm/bin/npm-cli.js", r.at("/usr/local/bin/npm")),
			os.Symlink("../lib/node_modules/npm/bin/npx-cli.js", r.at("/usr/local/bin/npx")),
			r.libraries("/usr/local/bin"),
		)
	}
}
