package js

import (
	"context"
	"fmt"
	"io"

	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/build/toolchain"
)

// installAlone installs into the bundle itself: its own folders are linked to,
// or its own commands write there.
func (k *Kind) installAlone(ctx context.Context, app kind.App, m *manifest, node toolchain.Node, log io.Writer) error {
	if app.InstallCommand == "" {
		npm, err := k.npm(ctx, node, dependencies, app.Scratch, log)
		if err != nil {
			return err
		}
		if err := npm.install(ctx, m.dir, app.BuildCommand == "", log); err != nil {
			return err
		}
	}
	return k.commands(ctx, app, node, m.dir, log)
}

// commands runs those that the client set, by a shell. Their characters were
// checked when they were taken.
func (k *Kind) commands(ctx context.Context, app kind.App, node toolchain.Node, dir string, log io.Writer) error {
	for _, c := range []struct{ step, code, text string }{
		{stepInstall, "install_failed", app.InstallCommand},
		{"build", "build_failed", app.BuildCommand},
	} {
		if c.text == "" {
			continue
		}
		npm, err := k.npm(ctx, node, dependencies, app.Scratch, log)
		if err != nil {
			return err
		}
		fmt.Fprintf(log, "$ %s\n", c.text)
		said, err := npm.command(ctx, dir, []string{"/bin/sh", "-c", c.text}, log)
		if err != nil {
			return err
		}
		if said.exit != 0 {
			f := failure.New(c.step, c.code, "The %s command ended with exit code %d: %s", c.step, said.exit, said.quote())
			f.Exit = &said.exit
			return f
		}
	}
	return nil
}
