package js

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/slipwayhq/slipway/build/internal/jsonfile"
)

const manifestName = "package.json"

// Lock files that npm reads itself, the first that is there; and those of
// others, which it does not.
var (
	npmLocks   = []string{"npm-shrinkwrap.json", "package-lock.json"}
	otherLocks = []string{"yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"}
)

// decisive are the keys of package.json that say what is installed. The others,
// which change more often, are not shown to npm where folders are shared.
var decisive = []string{
	"dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta",
	"bundleDependencies", "bundledDependencies", "overrides", "engines",
}

// manifest is an app's package.json.
type manifest struct {
	dir  string // where it lies
	keys map[string]json.RawMessage
	deps map[string]string // all that it depends on, with the version asked for
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
	return m, nil
}

// reduced is the manifest with nothing in it but what is decisive.
func (m *manifest) reduced() []byte {
	keys := map[string]json.RawMessage{"private": json.RawMessage("true")}
	for _, key := range decisive {
		if value, ok := m.keys[key]; ok {
			keys[key] = value
		}
	}
	content, _ := json.Marshal(keys) // in the order of keys, without spaces
	return content
}

var localVersion = regexp.MustCompile(`^(file:|link:|portal:|workspace:|\.|/|~/)`)

// local says whether it depends on folders of the source itself: what npm
// installs then links to them, and can not be shared.
func (m *manifest) local() bool {
	if _, ok := m.keys["workspaces"]; ok {
		return true
	}
	return slices.ContainsFunc(slices.Collect(maps.Values(m.deps)), localVersion.MatchString)
}

// lock is the lock file that npm goes by, "" without one.
func (m *manifest) lock() string { return first(m.dir, npmLocks) }

// otherLock is a lock file that npm does not go by, "" without one.
func (m *manifest) otherLock() string { return first(m.dir, otherLocks) }

func locked(dir string) bool { return first(dir, npmLocks) != "" }

func first(dir string, names []string) string {
	for _, name := range names {
		if exists(filepath.Join(dir, name)) {
			return name
		}
	}
	return ""
}
