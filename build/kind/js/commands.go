package js

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/build/toolchain"
)

// ordered is a command that the client set.
type ordered struct{ step, code, text, dir string }

// commands runs those that the client set, by a shell: the installation where
// the lock file lies, what comes after it in the app's own folder. Their
// characters were checked when they were taken.
func (k *Kind) commands(ctx context.Context, app kind.App, node toolchain.Node, p project, d *dialect, log io.Writer) error {
	for _, c := range []ordered{
		{stepInstall, "install_failed", app.InstallCommand, p.root.dir},
		{"build", "build_failed", app.BuildCommand, p.app.dir},
	} {
		if c.text == "" {
			continue
		}
		shell, err := k.shell(ctx, app, node, p, d, c, log)
		if err != nil {
			return err
		}
		fmt.Fprintf(log, "$ %s\n", c.text)
		shell.step = c.step
		said, err := shell.command(ctx, c.dir, []string{"/bin/sh", "-c", c.text}, log)
		if err != nil {
			return err
		}
		if err := said.ended(c); err != nil {
			return err
		}
	}
	return nil
}

// shell is what a command finds: the programs of packages, the project's
// package manager and every one that it names, npm and Node. What they keep is
// gone with the command: it is the app's own code that runs here.
func (k *Kind) shell(ctx context.Context, app kind.App, node toolchain.Node, p project, d *dialect, c ordered, log io.Writer) (tool, error) {
	npmOf, err := k.tools.NPM(ctx, node, log)
	if err != nil {
		return tool{}, err
	}
	t, err := k.tool(npmOf, d, dependencies, site{app.Sandbox, app.Dir, app.Scratch}, app.Secrets, true, log)
	if err != nil {
		return t, err
	}
	bins := []string{filepath.Join(p.app.dir, modulesName, ".bin"), filepath.Join(p.root.dir, modulesName, ".bin")}
	for _, other := range dialects {
		if other == &npm || other != d && !slices.Contains(strings.Fields(c.text), other.name) {
			continue
		}
		m, err := k.manager(ctx, node, p, other, log)
		if err != nil {
			return t, err
		}
		bins = append(bins, m.Path())
		if other != d {
			t.env = append(t.env, other.variables(filepath.Join(t.scratch, other.name))...)
		}
	}
	t.path = strings.Join(append(slices.Compact(bins), npmOf.Path()), ":")
	return t, nil
}

// manager brings one for a project, whether it is the project's own or not.
func (k *Kind) manager(ctx context.Context, node toolchain.Node, p project, d *dialect, log io.Writer) (toolchain.Manager, error) {
	if d == &npm {
		return k.tools.NPM(ctx, node, log)
	}
	c := choice{dialect: d, lock: first(p.root.dir, d.lockFiles)}
	if err := c.settle(p.root.dir, p.named()); err != nil {
		return toolchain.Manager{}, err
	}
	return k.tools.Manager(ctx, node, c.wanted, c.or, log)
}

// ended makes a failure of a command that did not end well.
func (o *output) ended(c ordered) error {
	if o.exit == 0 {
		return nil
	}
	f := failure.New(c.step, c.code, "The %s command ended with exit code %d: %s", c.step, o.exit, o.quote())
	if e, ok := o.general(); ok {
		f.Code, f.Hint = e.code, e.hint
	}
	f.Exit = &o.exit
	return f
}
