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
