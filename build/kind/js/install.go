package js

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway/build/internal/durable"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/build/toolchain"
)

// installVersion is raised when the same manifest is to be installed anew.
const installVersion = "1"

const modulesName = "node_modules"

// installed is what an installation came to.
type installed struct {
	modules  string            // node_modules, "" if nothing was installed
	packages map[string]pkg    // by place below node_modules
	deps     map[string]string // what the manifest asks for
	lock     string            // digest of the lock file that describes it
}

// pkg is one entry of npm's own account of a node_modules.
type pkg struct {
	Version          string
	HasInstallScript bool
}

// record adds to what a revision is built with.
func (i installed) record(runtime map[string]string) map[string]string {
	if i.lock != "" {
		runtime[runtimeLock] = i.lock
	}
	return runtime
}

// install puts node_modules beside the app's package.json.
func (k *Kind) install(ctx context.Context, app kind.App, node toolchain.Node, log io.Writer) (installed, error) {
	m, err := findManifest(app.Dir, app.Config.Dir())
	if err != nil {
		return installed{}, err
	}
	if m == nil {
		fmt.Fprintln(log, "The source has no package.json: nothing is installed")
		return installed{}, k.commands(ctx, app, node, app.Dir, log)
	}
	if err := m.dropModules(log); err != nil {
		return installed{}, err
	}
	m.warnOfLocks(log)
	modules := filepath.Join(m.dir, modulesName)
	if m.local() || app.InstallCommand != "" || app.BuildCommand != "" {
		err = k.installAlone(ctx, app, m, node, log)
	} else {
		err = k.link(ctx, m, node, log)
	}
	if err != nil {
		return installed{}, err
	}
	return account(modules, m, log)
}

// dropModules removes a node_modules that was packed: it is of another machine.
func (m *manifest) dropModules(log io.Writer) error {
	modules := filepath.Join(m.dir, modulesName)
	if !exists(modules) {
		return nil
	}
	fmt.Fprintln(log, "The node_modules of the source is not used: it is installed anew")
	return durable.Discard(modules)
}

func (m *manifest) warnOfLocks(log io.Writer) {
	if other := m.otherLock(); other != "" && m.lock() == "" {
		fmt.Fprintf(log, "Warning: npm does not go by %s; versions are chosen by package.json alone\n", other)
	}
}

// link makes node_modules a link to the folder that all apps with the same
// dependencies share. Node follows it before it looks for what a package
// imports, so packages see only each other there, and the app sees them all.
// The link is relative and stays right when both are moved together.
func (k *Kind) link(ctx context.Context, m *manifest, node toolchain.Node, log io.Writer) error {
	files, err := m.installFiles()
	if err != nil {
		return err
	}
	key := dependencyKey(files, node)
	shared := filepath.Join(k.cache, "js-deps", key)
	if exists(shared) {
		fmt.Fprintf(log, "The dependencies are unchanged: using those installed before (%.12s)\n", key)
	} else if err := k.installShared(ctx, shared, files, node, log); err != nil {
		return err
	}
	target, err := filepath.Rel(m.dir, filepath.Join(shared, modulesName))
	if err != nil {
		return err
	}
	return os.Symlink(target, filepath.Join(m.dir, modulesName))
}

// installFiles is all that npm gets to see.
func (m *manifest) installFiles() (map[string][]byte, error) {
	files := map[string][]byte{manifestName: m.reduced()}
	for _, name := range []string{m.lock(), ".npmrc"} {
		if name == "" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(m.dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files[name] = content
	}
	return files, nil
}

// dependencyKey changes with everything that may change what is installed.
func dependencyKey(files map[string][]byte, node toolchain.Node) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s node%d %v\n", installVersion, node.Major(), npmFlags)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%s %d\n%s", name, len(files[name]), files[name])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (k *Kind) installShared(ctx context.Context, dir string, files map[string][]byte, node toolchain.Node, log io.Writer) error {
	return k.once(ctx, dir, "the same dependencies are being installed by another build", log, func(work string) error {
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(work, name), content, 0o600); err != nil {
				return err
			}
		}
		npm, err := k.npm(ctx, node, dependencies, work, log)
		if err != nil {
			return err
		}
		if err := npm.install(ctx, work, true, log); err != nil {
			return err
		}
		// Credentials have done their work; a node_modules is there even if it is empty.
		return errors.Join(os.RemoveAll(filepath.Join(work, ".npmrc")), os.MkdirAll(filepath.Join(work, modulesName), 0o755))
	})
}

// account reads what npm wrote down of a node_modules.
func account(modules string, m *manifest, log io.Writer) (installed, error) {
	i := installed{modules: modules, deps: m.deps}
	content, err := os.ReadFile(filepath.Join(modules, ".package-lock.json"))
	if err != nil {
		return i, ignoreAbsent(err) // nothing was installed, or not by npm
	}
	var lock struct{ Packages map[string]pkg }
	if err := json.Unmarshal(content, &lock); err != nil {
		return i, err
	}
	i.packages = lock.Packages
	i.lock = fmt.Sprintf("%x", sha256.Sum256(bytes.TrimSpace(content)))
	i.warnOfScripts(log)
	return i, nil
}

func (i installed) warnOfScripts(log io.Writer) {
	var names []string
	for place, p := range i.packages {
		if p.HasInstallScript {
			names = append(names, strings.TrimPrefix(place, modulesName+"/"))
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		fmt.Fprintf(log, "Install scripts of packages are not run; these have one: %s\n", strings.Join(names, ", "))
	}
}
