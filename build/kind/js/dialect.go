package js

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/slipwayhq/slipway/build/toolchain"
)

// dialect is what differs between package managers.
type dialect struct {
	name      string
	lockFiles []string // that it goes by, the first that is there
	settings  []string // its files beside package.json that change what is installed
	// format is the range of versions that write a lock file as it stands, and
	// whether it can be held to: an old form is brought up to date on the way.
	format func(lock []byte) (versions string, holds bool)
	// install lists the runs, by their arguments, that install an order.
	install func(o order) [][]string
	// variables that are set for it, given a folder for what it keeps.
	variables func(cache string) []string
	// home has its user's settings, by the name of their file, for a run in a
	// folder.
	home func(dir string) map[string]string
	speech
}

// order is an installation.
type order struct {
	version    int    // of the manager, major
	locked     bool   // there is a lock file, and it must not change
	production bool   // without development dependencies
	member     string // folder of the package of a workspace that it is for, "" for all
	name       string // of that package
}

// dialects in the order in which their lock files decide: the vendor's.
var dialects = []*dialect{&yarn, &pnpm, &npm, &bun}

// choice is how a project is installed.
type choice struct {
	*dialect
	lock   string // name of the lock file, "" without one
	holds  bool   // the version that reads the lock file leaves it as it stands
	wanted toolchain.Wanted
	or     toolchain.Wanted // reads the lock file
}

// choose finds the package manager of a project: that of its lock file, where
// there are several the one that package.json names, else the first.
func (p project) choose(log io.Writer) (choice, error) {
	named := p.named()
	c := choice{dialect: &npm}
	var there []*dialect
	for _, d := range dialects {
		if first(p.root.dir, d.lockFiles) != "" {
			there = append(there, d)
		}
	}
	byName := func(d *dialect) bool { return d.name == named.manager }
	switch {
	case slices.ContainsFunc(there, byName):
		c.dialect = there[slices.IndexFunc(there, byName)]
	case len(there) > 0:
		c.dialect = there[0]
	case slices.ContainsFunc(dialects, byName):
		c.dialect = dialects[slices.IndexFunc(dialects, byName)]
	}
	c.lock = first(p.root.dir, c.lockFiles)
	err := c.settle(p.root.dir, named)
	p.warn(c, there, named, log)
	return c, err
}

// named is the package.json that names a package manager, if any does.
func (p project) named() *manifest {
	if p.root.manager == "" {
		return p.app
	}
	return p.root
}

func (p project) warn(c choice, there []*dialect, named *manifest, log io.Writer) {
	if named.manager != "" && named.manager != c.name {
		fmt.Fprintf(log, "Warning: package.json names %s, but the lock file is %s's: using %s\n", named.manager, c.name, c.name)
	}
	if len(there) > 1 {
		fmt.Fprintf(log, "Warning: there are several lock files: going by %s\n", c.lock)
	}
	if c.lock == "" {
		fmt.Fprintln(log, "There is no lock file: versions are chosen by package.json alone, and may be others the next time")
	}
}

// settle says which version of the manager is to be brought.
func (c *choice) settle(dir string, named *manifest) error {
	var lock []byte
	if c.lock != "" {
		var err error
		if lock, err = os.ReadFile(filepath.Join(dir, c.lock)); err != nil {
			return err
		}
	}
	if len(bytes.TrimSpace(lock)) == 0 {
		c.lock = "" // some begin a project by an empty one
	}
	c.or.Name = c.name
	c.or.Version, c.holds = c.format(lock)
	if c.dialect == &yarn && c.lock == "" && exists(filepath.Join(dir, ".yarnrc.yml")) {
		c.or.Version = "" // a project of the newer yarn that was never installed
	}
	c.wanted = c.or
	if named.manager == c.name && named.version != "" {
		c.wanted.Version = named.version
	}
	return nil
}

var (
	yarnFormat = regexp.MustCompile(`(?m)^__metadata:\r?\n +version: (\d+)`)
	pnpmFormat = regexp.MustCompile(`(?m)^lockfileVersion: ['"]?(\d+)`)
)

// formatOf is a number in a lock file, -1 without one.
func formatOf(lock []byte, pattern *regexp.Regexp) int {
	found := pattern.FindSubmatch(lock)
	if found == nil {
		return -1
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		return -1
	}
	return n
}

// anyVersion is of a manager whose versions read each other's lock files.
func anyVersion([]byte) (string, bool) { return "", true }
