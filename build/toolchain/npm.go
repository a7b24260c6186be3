package toolchain

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/slipwayhq/slipway/build/internal/command"
)

// NPM is an npm and the Node that runs it.
type NPM struct {
	Node Node
	CLI  string // npm-cli.js
}

// Args to run npm with.
func (n NPM) Args(args ...string) []string { return append([]string{n.Node.Path, n.CLI}, args...) }

// Path has the folders of node and npm.
func (n NPM) Path() string {
	bin := filepath.Dir(n.Node.Path)
	if brought := filepath.Join(filepath.Dir(n.CLI), "../../../../bin"); brought != bin {
		bin += ":" + brought
	}
	return bin
}

// NPM returns the npm that came with a Node, or else a brought one.
func (t *Toolchains) NPM(ctx context.Context, node Node, log io.Writer) (NPM, error) {
	t.mu.Lock()
	cli := t.npm[node.Path]
	t.mu.Unlock()
	if _, err := os.Stat(cli); err == nil {
		return NPM{node, cli}, nil
	}
	cli, err := t.findNPM(ctx, node, log)
	if err != nil {
		return NPM{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.npm[node.Path] = cli
	return NPM{node, cli}, nil
}

func (t *Toolchains) findNPM(ctx context.Context, node Node, log io.Writer) (string, error) {
	bin := filepath.Dir(node.Path)
	for _, place := range []string{
		filepath.Join(bin, "npm"), // a link in every usual installation
		filepath.Join(bin, "..", npmHome, npmCLI),
	} {
		cli, err := filepath.EvalSymlinks(place)
		if err == nil && filepath.Base(cli) == "npm-cli.js" && t.runs(ctx, node, cli) {
			return cli, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	fmt.Fprintf(log, "Node %s has no npm that runs: using npm %s from the npm registry\n", node.Version, npmPin.version)
	return t.bringNPM(ctx, log)
}

func (t *Toolchains) runs(ctx context.Context, node Node, cli string) bool {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	c := command.Command{
		Args: []string{node.Path, cli, "--version"},
		Dir:  "/", Env: Environment(filepath.Dir(node.Path), t.tmp),
		Line: func(string) {},
	}
	code, err := c.Run(ctx)
	return code == 0 && err == nil
}
