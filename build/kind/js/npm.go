package js

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/internal/durable"
	"github.com/slipwayhq/slipway/build/toolchain"
)

// Scripts of packages are not run: nothing that the server needs has one, and
// they are the usual way in for a bad package. Development dependencies are
// left out, unless the app is still to be built.
var (
	npmFlags = []string{"--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--no-update-notifier"}
	noDev    = "--omit=dev"
)

// patience with a silent program before the log says that it is at work.
const patience = 10 * time.Second

// npm of one installation.
type npm struct {
	toolchain.NPM
	what    string // is installed
	env     []string
	scratch string // for its temporary files: there only while it runs
}

// npm gets a home and a cache of ours, so that nothing depends on who runs the
// server, and nothing is left in their home.
func (k *Kind) npm(ctx context.Context, node toolchain.Node, what, work string, log io.Writer) (npm, error) {
	found, err := k.tools.NPM(ctx, node, log)
	if err != nil {
		return npm{}, err
	}
	home := filepath.Join(k.cache, "npm")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return npm{}, err
	}
	scratch := filepath.Join(work, ".scratch")
	env := toolchain.Environment(found.Path(), home,
		"TMPDIR="+scratch, "npm_config_cache="+filepath.Join(home, "cache"), "npm_config_logs_max=0")
	return npm{found, what, env, scratch}, nil
}

// What an installation is of, as failures name it.
const (
	dependencies = "the dependencies"
	agentServer  = "LangGraph's JavaScript server"
)

// install runs npm where a manifest lies: by the lock file if there is one, and
// without it when npm says that the two do not belong together.
func (n npm) install(ctx context.Context, dir string, production bool, log io.Writer) error {
	flags := npmFlags
	if production {
		flags = append([]string{noDev}, npmFlags...)
	}
	if !locked(dir) {
		return n.run(ctx, dir, append([]string{"install"}, flags...), log)
	}
	err := n.run(ctx, dir, append([]string{"ci", "--prefer-offline"}, flags...), log)
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "lock_refused" {
		return err
	}
	fmt.Fprintln(log, "npm ci refused the lock file: going on with npm install, which may choose other versions")
	return n.run(ctx, dir, append([]string{"install"}, flags...), log)
}

func (n npm) run(ctx context.Context, dir string, args []string, log io.Writer) error {
	fmt.Fprintf(log, "$ npm %s\n", strings.Join(args, " "))
	said, err := n.command(ctx, dir, n.Args(args...), log)
	return said.explain(n.what, err)
}

// command runs a program in a folder. It must have ended well.
func (n npm) command(ctx context.Context, dir string, args []string, log io.Writer) (*output, error) {
	if err := os.MkdirAll(n.scratch, 0o755); err != nil {
		return nil, err
	}
	defer durable.Discard(n.scratch)
	said := new(output)
	c := command.Command{
		Args: args, Dir: dir, Env: n.env, Mark: n.scratch,
		Line: func(line string) {
			if said.add(line) {
				fmt.Fprintln(log, line)
			}
		},
		Patience: patience,
		Silent: func(since time.Duration) {
			fmt.Fprintf(log, "Still at work after %.0f s\n", since.Seconds())
		},
	}
	var err error
	said.exit, err = c.Run(ctx)
	return said, err
}
