package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing/fstest"
	"time"

	"github.com/slipwayhq/slipway/examples"
)

const (
	redeploys = 7
	// redeployShare is how much of a bare installation a deploy may take, the
	// bare start excepted, where only the app's own files have changed.
	redeployShare = 0.15
)

// example is an app whose second deploy is measured.
type example struct {
	name  string
	files fs.FS
	file  string // gets a line more each time
	line  string // format, with a number
	// install does by hand, in a copy of the app, what a build does for it.
	install func(ctx context.Context, dir, home string, agent bare) *exec.Cmd
}

var exampleApps = []example{
	{"echo-js", examples.EchoJS(), "src/graph.ts", "\n// change %d\n", npmCI},
	{"echo-py", examples.EchoPy(), "graph.py", "\n# change %d\n", pipInstall},
}

// pipInstall is a bare installation of the app and of the server that runs it, by
// the pip of the interpreter that runs the agent, with a cache as npmCI has.
func pipInstall(ctx context.Context, dir, home string, agent bare) *exec.Cmd {
	cmd := exec.CommandContext(ctx, agent.args[0], "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-script-location",
		"--target", filepath.Join(dir, "site"), "-r", "requirements.txt", "langgraph-api", "langgraph-runtime-inmem")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+home, "PIP_CACHE_DIR="+filepath.Join(home, "pip"))
	return cmd
}

// npmCI is a bare installation by the npm beside the Node that runs the agent.
// It is given a cache of its own, which the first run fills.
func npmCI(ctx context.Context, dir, home string, agent bare) *exec.Cmd {
	bin := filepath.Dir(agent.args[0])
	cmd := exec.CommandContext(ctx, "npm", "ci", "--prefer-offline", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+home, "npm_config_cache="+filepath.Join(home, ".npm"), "PATH="+bin+":"+os.Getenv("PATH"))
	return cmd
}

// changed packs the app with a line more.
func (e example) changed(n int) (source, error) {
	files := fstest.MapFS{}
	err := fs.WalkDir(e.files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(e.files, name)
		if name == e.file {
			text = fmt.Appendf(text, e.line, n)
		}
		files[name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		return nil, err
	}
	return pack(files)
}

// redeploy measures the deploy of a change of a line, from its upload to
// DEPLOYED, beside what the same takes by hand: an installation and a start.
func redeploy(ctx context.Context, l *lab) ([]row, error) {
	var rows []row
	var errs []error
	for _, e := range exampleApps {
		some, err := l.redeploy(ctx, e)
		rows, errs = append(rows, some...), append(errs, err)
	}
	return rows, errors.Join(errs...)
}

func (l *lab) redeploy(ctx context.Context, e example) ([]row, error) {
	data, err := l.folder("data")
	if err != nil {
		return nil, err
	}
	s, _, err := l.slipwayServer(ctx, data)
	if err != nil {
		return nil, err
	}
	defer s.end()
	app, err := e.changed(0)
	if err != nil {
		return nil, err
	}
	d, err := s.create(ctx, e.name, app)
	if err != nil {
		return nil, err
	}
	l.say("  installing and deploying %s", e.name)
	if _, err := d.deploy(ctx, lookReal); err != nil {
		return nil, err
	}
	agent, err := bareOf(s.data)
	if err != nil {
		return nil, err
	}
	byHand, err := l.byHand(ctx, e, agent)
	if err != nil {
		return nil, err
	}
	var deploys, installs, starts samples
	for n := range l.times(redeploys) {
		l.say("  %s, change %d", e.name, n+1)
		deployed, err := d.change(ctx, e, n+1)
		if err != nil {
			return nil, err
		}
		installed, err := byHand()
		if err != nil {
			return nil, err
		}
		started, err := agent.start(ctx, l, lookBare)
		if err != nil {
			return nil, err
		}
		deploys, installs, starts = append(deploys, deployed), append(installs, installed), append(starts, started)
	}
	return rowsOfRedeploy(e.name, deploys, installs, starts), nil
}

// change uploads the app with a line more and deploys it.
func (d *deployment) change(ctx context.Context, e example, n int) (time.Duration, error) {
	app, err := e.changed(n)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if d.tarball, err = d.upload(ctx, app); err != nil {
		return 0, err
	}
	r, err := d.deploy(ctx, lookReal)
	return r.deployed.Sub(begun), err
}

// byHand prepares bare installations, the first of which fills the cache.
func (l *lab) byHand(ctx context.Context, e example, agent bare) (func() (time.Duration, error), error) {
	home, err := l.folder("home")
	if err != nil {
		return nil, err
	}
	install := func() (time.Duration, error) {
		dir, err := l.folder("by-hand")
		if err != nil {
			return 0, err
		}
		defer removeAll(dir)
		if err := os.CopyFS(dir, e.files); err != nil {
			return 0, err
		}
		begun := time.Now()
		out, err := e.install(ctx, dir, home, agent).CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("bare installation: %w\n%s", err, out)
		}
		return time.Since(begun), nil
	}
	_, err = install()
	return install, err
}

func rowsOfRedeploy(app string, deploys, installs, starts samples) []row {
	shares := make(numbers, len(deploys))
	for i := range shares {
		shares[i] = float64(deploys[i]-starts[i]) / float64(installs[i])
	}
	return []row{
		factors(app+", a line changed: upload to DEPLOYED less a bare start, of a bare installation", shares).
			with(atMost(shares.median(), redeployShare, times(redeployShare))),
		spread(app+", a line changed: upload to DEPLOYED", deploys),
		spread(app+", bare installation, packages cached", installs),
		spread(app+", bare start: exec to 200 on /ok", starts),
	}
}
