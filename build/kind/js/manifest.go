package js

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway/build/internal/jsonfile"
)

const manifestName = "package.json"

// decisive are the keys of package.json that say what is installed. The others,
// which change more often, are not shown to npm where folders are shared.
var decisive = []string{
	"dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta",
	"bundleDependencies", "bundledDependencies", "overrides", "engines",
	"resolutions", "dependenciesMeta", "pnpm", "trustedDependencies", "catalog", "catalogs",
}

// manifest is an app's package.json.
type manifest struct {
	dir  string // where it lies
	keys map[string]json.RawMessage
	deps map[string]string // all that it depends on, with the version asked for

	name    string
	members []string // patterns of the folders of its workspace, nil if it is none
	manager string   // the package manager that it names, "" for none
	version string   // of the manager: an exact one, a range, or ""
}

// findManifest looks for the nearest package.json from a folder up to the root.
func findManifest(root, from string) (*manifest, error) {
	for dir := from; ; dir = filepath.Dir(dir) {
		content, err := os.ReadFile(filepath.Join(root, dir, manifestName))
		if err == nil {
			return readManifest(filepath.Join(root, dir), filepath.Join(dir, manifestName), content)
		}
		if !os.IsNotExist(err) || dir == "." {
			return nil, ignoreAbsent(err)
		}
	}
}

func ignoreAbsent(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

func readManifest(dir, name string, content []byte) (*manifest, error) {
	m := &manifest{dir: dir, deps: map[string]string{}}
	var groups struct {
		Dependencies         map[string]string `json:"dependencies"`
		DevDependencies      map[string]string `json:"devDependencies"`
		OptionalDependencies map[string]string `json:"optionalDependencies"`
	}
	for _, into := range []any{&m.keys, &groups} {
		if err := jsonfile.Unmarshal(name, content, into); err != nil {
			return nil, fail("package_json_invalid", "%v.", err)
		}
	}
	maps.Copy(m.deps, groups.DevDependencies)
	maps.Copy(m.deps, groups.OptionalDependencies)
	maps.Copy(m.deps, groups.Dependencies)
	m.readName()
	m.readWorkspaces()
	m.readManager()
	return m, nil
}

func (m *manifest) readName() { json.Unmarshal(m.keys["name"], &m.name) }

// readWorkspaces takes both forms that are in use. What has neither is for the
// package manager to complain of.
func (m *manifest) readWorkspaces() {
	value, ok := m.keys["workspaces"]
	if !ok {
		return
	}
	var object struct{ Packages []string }
	if json.Unmarshal(value, &m.members) != nil {
		json.Unmarshal(value, &object)
		m.members = object.Packages
	}
	if m.members == nil {
		m.members = []string{}
	}
}

// readManager reads "pnpm@9.15.9+sha512.…", or what devEngines say.
func (m *manifest) readManager() {
	var text string
	var engines struct {
		PackageManager struct{ Name, Version string }
	}
	if json.Unmarshal(m.keys["packageManager"], &text) == nil {
		m.manager, m.version, _ = strings.Cut(strings.TrimPrefix(text, "^"), "@")
		m.version, _, _ = strings.Cut(m.version, "+")
	} else if json.Unmarshal(m.keys["devEngines"], &engines) == nil {
		m.manager, m.version = engines.PackageManager.Name, engines.PackageManager.Version
	}
}

// reduced is the manifest with nothing in it but what is decisive. npm takes
// the folder's name where it finds none, and writes it down; the lock files of
// the others name the package.
func (m *manifest) reduced(d *dialect) []byte {
	keys := map[string]json.RawMessage{"private": json.RawMessage("true")}
	for _, key := range decisive {
		if value, ok := m.keys[key]; ok {
			keys[key] = value
		}
	}
	if name, ok := m.keys["name"]; ok {
		keys["name"] = name
	}
	if d == &npm {
		keys["name"] = json.RawMessage(`"app"`)
	}
	content, _ := json.Marshal(keys) // in the order of keys, without spaces
	return content
}

var localVersion = regexp.MustCompile(`^(file:|link:|portal:|workspace:|patch:|exec:|\.|/|~/)`)

// local says whether it depends on files of the source itself: what is
// installed then links to them, and can not be shared.
func (m *manifest) local() bool {
	return m.workspace() != nil || m.hasLocal(localVersion.MatchString) || m.hasPatches() || m.ownCode() != ""
}

func (m *manifest) hasLocal(is func(version string) bool) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(m.deps)), is)
}

func (m *manifest) linksWorkspace() bool {
	return m.hasLocal(func(version string) bool { return strings.HasPrefix(version, "workspace:") })
}

// hasPatches says whether packages are changed by files of the source. The
// keys are looked through as text: they nest in several ways.
func (m *manifest) hasPatches() bool {
	for key, mark := range map[string]string{"pnpm": `"patchedDependencies"`, "resolutions": `"patch:`} {
		if strings.Contains(string(m.keys[key]), mark) {
			return true
		}
	}
	settings, _ := os.ReadFile(filepath.Join(m.dir, pnpmWorkspace))
	return m.keys["patchedDependencies"] != nil || strings.Contains(string(settings), "patchedDependencies:")
}

// ownCode is a program of the app's own that its package manager runs while it
// installs, "" without one.
func (m *manifest) ownCode() string {
	return first(m.dir, []string{".pnpmfile.cjs", ".pnpmfile.mjs", ".yarn/plugins"})
}

func first(dir string, names []string) string {
	for _, name := range names {
		if exists(filepath.Join(dir, name)) {
			return name
		}
	}
	return ""
}
