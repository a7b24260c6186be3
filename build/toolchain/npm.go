package toolchain

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
)

// NPM returns the npm that came with a Node, or else a brought one.
func (t *Toolchains) NPM(ctx context.Context, node Node, log io.Writer) (Manager, error) {
	return t.remembered("npm "+node.Path, func() (Manager, error) { return t.findNPM(ctx, node, log) })
}

func (t *Toolchains) findNPM(ctx context.Context, node Node, log io.Writer) (Manager, error) {
	bin := filepath.Dir(node.Path)
	for _, place := range []string{
		filepath.Join(bin, "npm"), // a link in every usual installation
		filepath.Join(bin, "..", npmHome, npmCLI),
	} {
		cli, err := filepath.EvalSymlinks(place)
		if err != nil || filepath.Base(cli) != "npm-cli.js" {
			continue
		}
		if npm, runs := t.runs(ctx, Manager{Name: "npm", Node: node, program: cli, bin: bin}); runs {
			return npm, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return Manager{}, err
	}
	fmt.Fprintf(log, "Node %s has no npm that runs: using npm %s from the npm registry\n", node.Version, npmPin.version)
	home, err := t.bringNPM(ctx, log)
	return Manager{
		Name: "npm", Version: npmPin.version, Node: node,
		program: filepath.Join(home, npmHome, npmCLI), bin: filepath.Join(home, "bin"),
	}, err
}
