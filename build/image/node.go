package image

import (
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/slipwayhq/slipway/build/kind/js"
)

// node writes what follows the base and its lines: manifests before the rest of
// the source, so that dependencies are installed again only when those change.
func (w *writer) node() error {
	root := w.installRoot()
	for _, name := range []string{root, w.config.Dir(), w.config.Path} {
		if err := checkName("The configuration's place", name); err != nil {
			return err
		}
	}
	if !w.base.serves {
		if err := w.bringNode(); err != nil {
			return err
		}
	}
	early, err := w.manifests(root)
	if err != nil {
		return err
	}
	if early {
		w.copy(stepInstall, contextFirst, appDir)
		w.installNode(root)
	}
	w.copy(stepInstall, contextApp, appDir)
	if !early {
		w.installNode(root)
	}
	if err := w.environment(); err != nil {
		return err
	}
	w.workdir(w.config.Dir())
	w.buildNode()
	if !w.base.serves {
		w.start(`"node", "`+serverDir+`/serve.mjs"`, `"node", "`+serverDir+`/serve/ask.mjs"`)
	}
	return nil
}

// installRoot is the folder that dependencies are installed in: the whole source
// for commands of the owner's, else the nearest that has a lock file, from the
// configuration's upwards.
func (w *writer) installRoot() string {
	if w.install != "" {
		return "."
	}
	for dir := w.config.Dir(); ; dir = path.Dir(dir) {
		if managerOf(w.files, dir).locked {
			return dir
		}
		if dir == "." {
			return w.config.Dir()
		}
	}
}

func (w *writer) installNode(root string) {
	w.workdir(root)
	if w.install != "" {
		w.runGiven(stepInstall, w.install)
		return
	}
	m := managerOf(w.files, root)
	w.runWithSecrets(stepInstall, m.bring(w.base.serves)+m.install())
}

func (w *writer) buildNode() {
	switch {
	case w.build != "":
		w.runGiven(stepBuild, w.build)
	case w.base.serves: // some versions of it compile the graphs ahead
		w.run(stepBuild, "if [ -f /api/langgraph_api/js/build.mts ]; then tsx /api/langgraph_api/js/build.mts; fi")
	}
}

// bringNode installs the server, from our lock.
func (w *writer) bringNode() error {
	files, err := js.ServerFiles()
	if err != nil {
		return err
	}
	for name, content := range files {
		w.ours[contextServer+"/"+name] = content
	}
	w.copy(stepServer, contextServer, serverDir)
	w.add(stepServer, "WORKDIR "+serverDir)
	w.run(stepServer, "npm ci --ignore-scripts --no-audit --no-fund")
	return nil
}

// manager of a Node app's packages.
type manager struct {
	name   string
	locked bool
}

var lockFiles = []struct{ file, name string }{
	{"yarn.lock", "yarn"},
	{"pnpm-lock.yaml", "pnpm"},
	{"package-lock.json", "npm"},
	{"npm-shrinkwrap.json", "npm"},
	{"bun.lockb", "bun"},
	{"bun.lock", "bun"},
}

// managerOf goes by the lock file, else by what package.json asks for.
func managerOf(files fs.FS, dir string) manager {
	for _, lock := range lockFiles {
		if info, err := fs.Stat(files, path.Join(dir, lock.file)); err == nil && !info.IsDir() {
			return manager{lock.name, true}
		}
	}
	var manifest struct{ PackageManager string }
	content, _ := fs.ReadFile(files, path.Join(dir, "package.json"))
	json.Unmarshal(content, &manifest)
	name, _, _ := strings.Cut(strings.TrimPrefix(manifest.PackageManager, "^"), "@")
	for _, lock := range lockFiles {
		if lock.name == name {
			return manager{name, false}
		}
	}
	return manager{"npm", false}
}

func (m manager) install() string {
	switch {
	case m.name == "npm" && m.locked:
		return "npm ci"
	case m.name == "npm":
		return "npm install"
	case m.name == "bun":
		return "bun install" + m.frozen()
	}
	return m.name + " install" + m.frozen()
}

func (m manager) frozen() string {
	if m.locked {
		return " --frozen-lockfile"
	}
	return ""
}

// bring installs the manager itself where a base may lack it. The vendor's have
// all.
func (m manager) bring(serves bool) string {
	if m.name == "npm" || serves {
		return ""
	}
	return "(command -v " + m.name + " || npm install --global " + m.name + ") && "
}

// manifestNames are the files that managers read before they install.
var manifestNames = regexp.MustCompile(`^(package\.json|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|pnpm-workspace\.yaml|bun\.lockb?|\.npmrc|\.yarnrc(\.yml)?)$`)

// needsSource finds manifests whose installation reads other files of the source.
var needsSource = regexp.MustCompile(`"(preinstall|install|postinstall|prepare|prepublish|patchedDependencies)"\s*:|"(file|link|portal|patch):`)

// manifests copies what dependencies are installed from, and says whether that
// is enough to install them.
func (w *writer) manifests(root string) (enough bool, err error) {
	if w.install != "" {
		return false, nil
	}
	found := map[string][]byte{}
	err = fs.WalkDir(w.files, root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "node_modules":
			return fs.SkipDir
		case !entry.Type().IsRegular() || !manifestNames.MatchString(entry.Name()) || w.hidden[name] != "":
			return nil
		}
		found[name], err = fs.ReadFile(w.files, name)
		return err
	})
	for name, content := range found {
		if path.Base(name) == "package.json" && needsSource.Match(content) {
			return false, err
		}
	}
	for name, content := range found {
		w.ours[contextFirst+"/"+name] = content
	}
	return len(found) > 0, err
}
