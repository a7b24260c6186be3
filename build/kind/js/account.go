package js

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway/build/kind"
)

// installed is what an installation came to.
type installed struct {
	manager string            // name and version
	shared  string            // folder of the dependencies, "" if they are the app's own
	lock    string            // digest of the lock file, "" without one
	deps    map[string]string // what the manifest asks for
	version func(name string) string
}

// record adds to what a revision is built with.
func (i installed) record(runtime map[string]string) map[string]string {
	runtime[kind.RuntimeDependencies] = cmp.Or(i.shared, kind.OwnDependencies)
	for key, value := range map[string]string{runtimeManager: i.manager, runtimeLock: i.lock} {
		if value != "" {
			runtime[key] = value
		}
	}
	return runtime
}

// account says what was installed.
func (i *installation) account() (installed, error) {
	done := installed{
		manager: i.manager.Name + " " + i.manager.Version,
		shared:  i.shared,
		deps:    i.project.app.deps,
		version: func(name string) string { return installedVersion(i.Dir, i.project.app.dir, name) },
	}
	modules, err := filepath.EvalSymlinks(filepath.Join(i.root.dir, modulesName))
	if err != nil {
		return done, ignoreAbsent(err)
	}
	if done.lock, err = lockDigest(i.lockFiles, i.root.dir, filepath.Dir(modules)); err != nil {
		return done, err
	}
	return done, i.warnOfScripts(modules)
}

// lockDigest is that of the lock file that was gone by, or that was written on
// the way: as sha256sum says it.
func lockDigest(names []string, dirs ...string) (string, error) {
	for _, dir := range slices.Backward(dirs) {
		name := first(dir, names)
		if name == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		return fmt.Sprintf("%x", sha256.Sum256(text)), err
	}
	return "", nil
}

// installedVersion looks for a package as Node does, up to the root of the
// source; "" if it is not there.
func installedVersion(source, from, name string) string {
	for dir := from; ; dir = filepath.Dir(dir) {
		var about struct{ Version string }
		text, err := os.ReadFile(filepath.Join(dir, modulesName, name, manifestName))
		if err == nil && json.Unmarshal(text, &about) == nil {
			return about.Version
		}
		if dir == source || dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// warnOfScripts reads npm's own account of a node_modules: no other tells which
// packages have install scripts.
func (i *installation) warnOfScripts(modules string) error {
	text, err := os.ReadFile(filepath.Join(modules, ".package-lock.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var lock struct {
		Packages map[string]struct{ HasInstallScript bool }
	}
	if err := errors.Join(err, json.Unmarshal(text, &lock)); err != nil {
		return err
	}
	var names []string
	for place, p := range lock.Packages {
		if p.HasInstallScript {
			names = append(names, strings.TrimPrefix(place, modulesName+"/"))
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		fmt.Fprintf(i.log, "Install scripts of packages are not run; these have one: %s\n", strings.Join(names, ", "))
	}
	return nil
}
