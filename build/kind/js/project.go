package js

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// project is what is installed for an app: the package that its graphs belong
// to, and the one whose lock file tells its versions. They are the same unless
// the app is a member of a workspace.
type project struct {
	app    *manifest
	root   *manifest
	member string // the app's folder below the root of its workspace, "" if it is no member
}

// findProject looks for the workspace that a package belongs to, up to the root
// of the source.
func findProject(source string, app *manifest) (project, error) {
	alone := project{app: app, root: app}
	if app.workspace() != nil || app.anyLock() != "" && !app.linksWorkspace() {
		return alone, nil
	}
	for dir := app.dir; dir != source; {
		dir = filepath.Dir(dir)
		root, err := openManifest(source, dir)
		if err != nil {
			return alone, err
		}
		member, err := filepath.Rel(dir, app.dir)
		if err != nil {
			return alone, err
		}
		if covers(root.workspace(), filepath.ToSlash(member)) {
			return project{app, root, filepath.ToSlash(member)}, nil
		}
	}
	return alone, nil
}

// anyLock is a lock file of any package manager that lies here.
func (m *manifest) anyLock() string {
	for _, d := range dialects {
		if name := first(m.dir, d.lockFiles); name != "" {
			return name
		}
	}
	return ""
}

// openManifest reads the package.json of a folder; without one it is empty: a
// workspace of pnpm needs none.
func openManifest(source, dir string) (*manifest, error) {
	content, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		return &manifest{dir: dir}, nil
	}
	if err != nil {
		return nil, err
	}
	below, err := filepath.Rel(source, dir)
	if err != nil {
		return nil, err
	}
	return readManifest(dir, filepath.Join(below, manifestName), content)
}

// local says whether what is installed belongs to this source alone.
func (p project) local() bool { return p.member != "" || p.root.local() }

// covers says whether the patterns of a workspace take a folder in. The last
// one that fits decides.
func covers(patterns []string, folder string) bool {
	covered := false
	for _, pattern := range patterns {
		wanted, not := strings.CutPrefix(pattern, "!")
		if fits(segments(wanted), segments(folder)) {
			covered = !not
		}
	}
	return covered
}

func segments(name string) []string { return strings.Split(path.Clean(name), "/") }

// fits matches a folder with a pattern, where ** stands for any number of
// folders.
func fits(pattern, folder []string) bool {
	switch {
	case len(pattern) == 0:
		return len(folder) == 0
	case pattern[0] == "**":
		return fits(pattern[1:], folder) || len(folder) > 0 && fits(pattern, folder[1:])
	case len(folder) == 0:
		return false
	}
	ok, err := path.Match(pattern[0], folder[0])
	return ok && err == nil && fits(pattern[1:], folder[1:])
}

// workspace lists the patterns of the folders that belong to a workspace of
// this package, nil if it is none.
func (m *manifest) workspace() []string {
	if members := pnpmMembers(m.dir); members != nil {
		return members
	}
	return m.members
}

const pnpmWorkspace = "pnpm-workspace.yaml"

var (
	pnpmPackages = regexp.MustCompile(`(?m)^packages:[ \t]*(\[[^\]]*\])?[^\n]*\n((?:[ \t]*(?:-[^\n]*|#[^\n]*)?\n)*)`)
	yamlItem     = regexp.MustCompile(`(?m)(?:^[ \t]*-[ \t]+|[\[,][ \t\n]*)(?:'([^']*)'|"([^"]*)"|([^\s'"#,\]]+))`)
)

// pnpmMembers reads the one list of pnpm's file that matters here; the file may
// hold settings alone, and is no workspace then.
func pnpmMembers(dir string) []string {
	content, err := os.ReadFile(filepath.Join(dir, pnpmWorkspace))
	if err != nil {
		return nil
	}
	list := pnpmPackages.FindStringSubmatch(string(content) + "\n")
	if list == nil {
		return nil
	}
	members := []string{}
	for _, item := range yamlItem.FindAllStringSubmatch(list[1]+"\n"+list[2], -1) {
		members = append(members, strings.Join(item[1:], ""))
	}
	return slices.DeleteFunc(members, func(m string) bool { return m == "" })
}
