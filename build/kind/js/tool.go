package js

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/toolchain"
	"github.com/slipwayhq/slipway/internal/durable"
)

// patience with a silent program before the log says that it is at work.
const patience = 10 * time.Second

// tool is a package manager at work on one installation.
type tool struct {
	toolchain.Manager
	*dialect
	what    string // is installed
	path    string
	env     []string // beside PATH, HOME and the way to the registries
	site    site
	as      command.Identity
	step    string   // of the build, "" for install
	read    []string // files that it needs beside those of the installation
	cache   string   // shared with other installations, "" for one of its own
	scratch string   // for its home and temporary files: there only while it runs
	// only begins an installation; done is told how it went.
	only func(context.Context) (done func(error), err error)
}

// site is where an installation takes place.
type site struct {
	box     *command.Sandbox
	folder  string // with all that it may change
	scratch string // that is there while a program runs
}

// What an installation is of, as failures name it.
const (
	dependencies = "the dependencies"
	agentServer  = "LangGraph's JavaScript server"
)

// tool makes a package manager ready. What it keeps is shared with all other
// installations, unless the app's own code runs in it.
func (k *Kind) tool(m toolchain.Manager, d *dialect, what string, at site, secrets []slipway.EnvVar, code bool, log io.Writer) (tool, error) {
	t := tool{
		Manager: m, dialect: d, what: what, path: m.Path(), site: at, as: command.Fetch,
		read: k.tools.Files(m.Node), cache: filepath.Join(k.cache, d.name), scratch: filepath.Join(at.scratch, ".scratch"),
	}
	cache := t.cache
	if code {
		t.as, t.cache, cache = command.App, "", filepath.Join(t.scratch, d.name)
	} else if err := os.MkdirAll(cache, 0o700); err != nil {
		return t, err
	}
	for _, v := range secrets {
		t.env = append(t.env, v.Name+"="+v.Value)
	}
	t.env = append(t.env, d.variables(cache)...)
	t.only = func(context.Context) (func(error), error) { return func(error) {}, nil }
	if d == &yarn && m.Major() < 2 && !code {
		t.only = func(ctx context.Context) (func(error), error) { return k.classicYarn(ctx, cache, log) }
	}
	return t, nil
}

// classicYarn has one installation at a time use a cache of yarn 1, which takes
// what another has half written for whole. One that failed or was killed leaves
// such halves: a mark that stands while one is at work has the next begin with
// an empty cache.
func (k *Kind) classicYarn(ctx context.Context, cache string, log io.Writer) (func(error), error) {
	unlock, err := k.locks.Lock(ctx, cache, func() { fmt.Fprintln(log, "Waiting: another build installs with yarn") })
	if err != nil {
		return nil, err
	}
	mark := filepath.Join(cache, "at-work")
	if exists(mark) {
		err = os.RemoveAll(filepath.Join(cache, yarnCache))
	}
	if err = errors.Join(err, os.WriteFile(mark, nil, 0o600)); err != nil {
		unlock()
		return nil, fmt.Errorf("make yarn's cache ready: %w", err)
	}
	return func(failed error) {
		defer unlock()
		if failed == nil {
			os.Remove(mark)
		}
	}, nil
}

// npm is the one that came with Node, with what is installed and where it may
// work.
func (k *Kind) npm(ctx context.Context, node toolchain.Node, what string, at site, log io.Writer) (tool, error) {
	m, err := k.tools.NPM(ctx, node, log)
	if err != nil {
		return tool{}, err
	}
	return k.tool(m, &npm, what, at, nil, false, log)
}

// install runs the manager where a manifest lies.
func (t tool) install(ctx context.Context, dir string, o order, log io.Writer) (err error) {
	done, err := t.only(ctx)
	if err != nil {
		return err
	}
	defer func() { done(err) }()
	o.version = t.Major()
	for _, args := range t.dialect.install(o) {
		if err := t.run(ctx, dir, args, log); err != nil {
			return t.unlocked(ctx, dir, o, err, log)
		}
	}
	return nil
}

// unlocked goes on without the lock file where npm says that the two do not
// belong together: it has refused its own. The others are right when they say
// so.
func (t tool) unlocked(ctx context.Context, dir string, o order, err error, log io.Writer) error {
	f, ok := errors.AsType[*slipway.Failure](err)
	if !ok || f.Code != lockRefused || t.dialect != &npm || !o.locked {
		return err
	}
	fmt.Fprintln(log, "npm ci refused the lock file: going on with npm install, which may choose other versions")
	o.locked = false
	for _, args := range t.dialect.install(o) {
		if err := t.run(ctx, dir, args, log); err != nil {
			return err
		}
	}
	return nil
}

func (t tool) run(ctx context.Context, dir string, args []string, log io.Writer) error {
	fmt.Fprintf(log, "$ %s %s\n", t.Name, strings.Join(args, " "))
	said, err := t.command(ctx, dir, t.Args(args...), log)
	return said.explain(t.Name+" can not install "+t.what, t.what == dependencies, err)
}

// command runs a program in a folder. It gets a home that is gone afterwards,
// so that nothing depends on who runs the server or on who was here before.
func (t tool) command(ctx context.Context, dir string, args []string, log io.Writer) (*output, error) {
	home, err := t.makeHome(dir)
	defer durable.Discard(t.scratch)
	if err != nil {
		return nil, err
	}
	said := &output{speech: t.speech}
	c := command.Command{
		Args: args, Dir: dir, Env: toolchain.Environment(t.path, home, append(slices.Clone(t.env), "TMPDIR="+t.scratch)...), Mark: t.scratch,
		As: t.as, Step: t.step, In: t.site.box, Read: t.read, Write: []string{t.site.folder, t.scratch},
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
	if t.cache != "" {
		c.Cache = []string{t.cache}
	}
	said.exit, err = c.Run(ctx)
	return said, err
}

func (t tool) makeHome(dir string) (string, error) {
	home := filepath.Join(t.scratch, "home")
	if err := os.MkdirAll(home, 0o755); err != nil || t.home == nil {
		return home, err
	}
	var errs []error
	for name, content := range t.home(dir) {
		errs = append(errs, os.WriteFile(filepath.Join(home, name), []byte(content), 0o600))
	}
	return home, errors.Join(errs...)
}
