package js

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/internal/content"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/build/toolchain"
	"github.com/slipwayhq/slipway/internal/durable"
)

// installVersion is raised when the same manifest is to be installed anew.
const installVersion = "2"

const modulesName = "node_modules"

// installation is one app's, on its way.
type installation struct {
	k *Kind
	kind.App
	project
	choice
	node    toolchain.Node
	manager toolchain.Manager
	shared  string // name of the folder of its dependencies, "" if they are its own
	log     io.Writer
}

// install puts node_modules where the app's graphs find what they import.
func (k *Kind) install(ctx context.Context, app kind.App, node toolchain.Node, log io.Writer) (installed, error) {
	m, err := findManifest(app.Dir, app.Config.Dir())
	if err != nil {
		return installed{}, err
	}
	if m == nil {
		fmt.Fprintln(log, "The source has no package.json: nothing is installed")
		m = &manifest{dir: app.Dir}
		return installed{}, k.commands(ctx, app, node, project{app: m, root: m}, &npm, log)
	}
	i := &installation{k: k, App: app, node: node, log: log}
	if err := i.settle(ctx, m); err != nil {
		return installed{}, err
	}
	if i.local() || app.InstallCommand != "" || app.BuildCommand != "" {
		err = i.alone(ctx)
	} else {
		err = i.link(ctx)
	}
	if err != nil {
		return installed{}, err
	}
	if err := tidy(app.Dir, log); err != nil {
		return installed{}, err
	}
	return i.account()
}

// settle finds out what is to be installed and by what.
func (i *installation) settle(ctx context.Context, m *manifest) (err error) {
	if i.project, err = findProject(i.Dir, m); err != nil {
		return err
	}
	if i.member != "" {
		fmt.Fprintf(i.log, "The app is %s of a workspace\n", i.member)
	}
	for _, dir := range slices.Compact([]string{i.project.app.dir, i.root.dir}) {
		if err := dropModules(dir, i.log); err != nil {
			return err
		}
	}
	if i.choice, err = i.project.choose(i.log); err != nil {
		return err
	}
	i.manager, err = i.k.manager(ctx, i.node, i.project, i.dialect, i.log)
	return err
}

// dropModules removes a node_modules that was packed: it is of another machine.
func dropModules(dir string, log io.Writer) error {
	modules := filepath.Join(dir, modulesName)
	if !exists(modules) {
		return nil
	}
	fmt.Fprintln(log, "The node_modules of the source is not used: it is installed anew")
	return durable.Discard(modules)
}

// order of the installation. A lock file is held to where the version of the
// manager leaves it as it stands.
func (i *installation) order(production bool) order {
	locked := i.lock != ""
	if locked && !i.holds && i.manager.Version != i.wanted.Version {
		fmt.Fprintf(i.log, "%s is of an older form, which %s %s brings up to date\n", i.lock, i.manager.Name, i.manager.Version)
		locked = false
	}
	return order{locked: locked, production: production, member: i.member, name: i.project.app.name}
}

// alone installs into the bundle itself: its own folders are linked to, or its
// own commands write there.
func (i *installation) alone(ctx context.Context) error {
	if i.InstallCommand == "" {
		t, err := i.k.tool(i.manager, i.dialect, dependencies, site{i.Sandbox, i.Dir, i.Scratch}, i.Secrets, i.root.ownCode() != "", i.log)
		if err != nil {
			return err
		}
		if err := t.install(ctx, i.root.dir, i.order(i.BuildCommand == ""), i.log); err != nil {
			return err
		}
	}
	return i.k.commands(ctx, i.App, i.node, i.project, i.dialect, i.log)
}

// link makes node_modules a link to the folder that all apps with the same
// dependencies share. Node follows it before it looks for what a package
// imports, so packages see only each other there, and the app sees them all.
// The link is relative and stays right when both are moved together.
func (i *installation) link(ctx context.Context) error {
	files, err := i.files()
	if err != nil {
		return err
	}
	key := i.key(files)
	i.shared = "js-" + key
	shared := filepath.Join(i.k.cache, kind.Dependencies, i.shared)
	if exists(shared) {
		fmt.Fprintf(i.log, "The dependencies are unchanged: using those installed before (%.12s)\n", key)
		err = kind.Touch(shared)
	} else {
		err = i.share(ctx, shared, files)
	}
	if err != nil {
		return err
	}
	target, err := filepath.Rel(i.root.dir, filepath.Join(shared, modulesName))
	if err != nil {
		return err
	}
	return os.Symlink(target, filepath.Join(i.root.dir, modulesName))
}

// files is all that the package manager gets to see.
func (i *installation) files() (map[string][]byte, error) {
	files := map[string][]byte{manifestName: i.root.reduced(i.dialect)}
	for _, name := range append([]string{i.lock}, i.settings...) {
		if name == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(i.root.dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files[name] = text
	}
	return files, nil
}

// key changes with everything that may change what is installed. Who has
// credentials gets nothing from who has none, nor the other way round: the
// secrets that the files name count too.
func (i *installation) key(files map[string][]byte) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s node%d %s %s %v\n", installVersion, i.node.Major(), i.name, i.manager.Version, i.dialect.install(order{}))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%s %d\n%s", name, len(files[name]), files[name])
	}
	for _, v := range i.named(files) {
		fmt.Fprintf(sum, "%s %d\n%s", v.Name, len(v.Value), v.Value)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

var variable = regexp.MustCompile(`\$\{?(\w+)`)

// named are the secrets that settings name, in the order of their names.
func (i *installation) named(files map[string][]byte) []slipway.EnvVar {
	values := map[string]string{}
	for _, v := range i.Secrets {
		values[v.Name] = v.Value
	}
	var all []slipway.EnvVar
	for _, file := range i.settings {
		for _, found := range variable.FindAllSubmatch(files[file], -1) {
			if value, ok := values[string(found[1])]; ok {
				all = append(all, slipway.EnvVar{Name: string(found[1]), Value: value})
				delete(values, string(found[1]))
			}
		}
	}
	return all
}

// share installs into a folder for all. Nothing stays there but node_modules,
// the lock file and a digest of both: credentials have done their work.
func (i *installation) share(ctx context.Context, dir string, files map[string][]byte) error {
	return i.k.shelf.Put(ctx, dir, "the same dependencies are being installed by another build", i.log, func(work string) error {
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(work, name), text, 0o600); err != nil {
				return err
			}
		}
		t, err := i.k.tool(i.manager, i.dialect, dependencies, site{i.Sandbox, work, work}, i.Secrets, false, i.log)
		if err != nil {
			return err
		}
		if err := t.install(ctx, work, i.order(true), i.log); err != nil {
			return err
		}
		modules := filepath.Join(work, modulesName)
		if err := os.MkdirAll(modules, 0o755); err != nil { // there even if it is empty
			return err
		}
		return errors.Join(keep(work, append(i.lockFiles, modulesName)), tidy(work, i.log), content.Record(work))
	})
}

// keep removes all but a few names from a folder.
func keep(dir string, names []string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if !slices.Contains(names, entry.Name()) {
			err = errors.Join(err, durable.Discard(filepath.Join(dir, entry.Name())))
		}
	}
	return err
}
