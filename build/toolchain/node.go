package toolchain

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"

	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/build/internal/keylock"
)

// Step is the step of every failure of this package.
const Step = "toolchain"

// Node is one that has been run.
type Node struct {
	Path    string // of the program itself, no shim
	Version string // 22.1.0
	Brought bool   // kept here, not installed on the machine
}

// Major version.
func (n Node) Major() int { return int(n.parsed().Major()) }

func (n Node) parsed() *semver.Version {
	v, err := semver.StrictNewVersion(n.Version)
	if err != nil {
		return new(semver.Version)
	}
	return v
}

// Files are what a confined program needs to read in order to run a Node: it,
// what came with it, all that is brought, and the settings that the server
// hands on.
func (t *Toolchains) Files(n Node) []string {
	return append(t.RuntimeFiles(n), settings()...)
}

// RuntimeFiles are those that an agent needs, which gets no settings of ours.
func (t *Toolchains) RuntimeFiles(n Node) []string {
	bin := filepath.Dir(n.Path)
	return []string{t.dir, bin, filepath.Join(filepath.Dir(bin), "lib")}
}

// oldest that the Agent Server runs on.
var oldest = semver.New(20, 16, 0, "", "")

func (n Node) fits(least int) bool { return n.Major() >= least && !n.parsed().LessThan(oldest) }

// Toolchains of one data folder.
type Toolchains struct {
	dir, tmp string // where brought ones are kept and made
	search   func() []string
	locks    keylock.Locks

	searchPython, searchUV func() []string
	memory                 memory

	mu sync.Mutex
	// managers that were found to run, by what was asked for
	managers map[string]Manager
}

// Options of New.
type Options struct {
	Dir string // where what is brought is kept, by version
	Tmp string // on the same file system
	// Search lists programs that may be Node; nil looks at the usual places.
	Search func() []string
	// SearchPython and SearchUV do the same for Python and uv.
	SearchPython, SearchUV func() []string
}

// New looks at nothing yet.
func New(o Options) *Toolchains {
	if o.Search == nil {
		o.Search = UsualPlaces
	}
	if o.SearchPython == nil {
		o.SearchPython = UsualPythons
	}
	if o.SearchUV == nil {
		o.SearchUV = UsualUVs
	}
	return &Toolchains{
		dir: o.Dir, tmp: o.Tmp, search: o.Search, managers: map[string]Manager{},
		searchPython: o.SearchPython, searchUV: o.SearchUV, memory: memory{said: map[string]answer{}},
	}
}

// UsualPlaces are programs on this machine that may be Node.
func UsualPlaces() []string {
	var found []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			found = append(found, filepath.Join(dir, "node"), filepath.Join(dir, "nodejs"))
		}
	}
	found = append(found, "/usr/local/bin/node", "/usr/bin/node")
	patterns := []string{"/opt/node*/bin/node", "/usr/local/n/versions/node/*/bin/node"}
	if home, err := os.UserHomeDir(); err == nil {
		patterns = append(patterns,
			filepath.Join(home, ".nvm/versions/node/*/bin/node"),
			filepath.Join(home, ".local/share/fnm/node-versions/*/installation/bin/node"))
	}
	for _, pattern := range patterns {
		matches, _ := filepath.Glob(pattern)
		found = append(found, matches...)
	}
	return found
}

// Plan is what Node would do for a lowest major version: a Node that is there,
// or the version that would be brought.
type Plan struct {
	Node  Node   // zero if one must be brought
	Bring string // version
	Found []Node // all that run, newest first
}

func (p Plan) String() string {
	if p.Bring == "" {
		return fmt.Sprintf("%s Node %s at %s", map[bool]string{false: "installed", true: "kept"}[p.Node.Brought], p.Node.Version, p.Node.Path)
	}
	return fmt.Sprintf("Node %s from the npm registry, since %s", p.Bring, p.reason())
}

func (p Plan) reason() string {
	if len(p.Found) == 0 {
		return "none is installed"
	}
	return "none that is installed fits: " + list(p.Found)
}

func list(nodes []Node) string {
	var text []string
	for _, n := range nodes {
		text = append(text, n.Version+" at "+n.Path)
	}
	return strings.Join(text, ", ")
}

// Plan says which Node will be used for apps that need at least a major version.
func (t *Toolchains) Plan(ctx context.Context, least int) (Plan, error) {
	p := Plan{Found: t.nodes(ctx)}
	if err := ctx.Err(); err != nil {
		return p, err
	}
	if len(p.Found) > 0 && p.Found[0].fits(least) {
		p.Node = p.Found[0]
		return p, nil
	}
	pinned, ok := nodeFor(least)
	p.Bring = pinned.version
	if !ok {
		return p, failure.WithHint(
			failure.New(Step, "node_unavailable", "No Node %d or newer: %s.", least, p.reason()),
			"Install one on the machine that runs the agents, or ask for an older one by node_version.")
	}
	return p, nil
}

// Node returns one of at least a major version, brought if need be.
func (t *Toolchains) Node(ctx context.Context, least int, log io.Writer) (Node, error) {
	p, err := t.Plan(ctx, least)
	if err != nil {
		return Node{}, err
	}
	fmt.Fprintf(log, "Using %s\n", p)
	if p.Bring == "" {
		return p.Node, nil
	}
	pinned, _ := nodeFor(least)
	return t.bringNode(ctx, pinned, log)
}

// Exactly returns the Node of a version, or, if it is gone, the newest one of
// the same major version, or any that is newer; brought if need be.
func (t *Toolchains) Exactly(ctx context.Context, version string) (Node, error) {
	wanted := Node{Version: version}
	nodes := t.nodes(ctx)
	for _, fits := range []func(Node) bool{
		func(n Node) bool { return n.Version == version },
		func(n Node) bool { return n.Major() == wanted.Major() },
	} {
		if i := slices.IndexFunc(nodes, fits); i >= 0 {
			return nodes[i], nil
		}
	}
	return t.Node(ctx, wanted.Major(), io.Discard)
}

// nodes are all that run, newest first; of equal ones the installed first.
func (t *Toolchains) nodes(ctx context.Context) []Node {
	kept, _ := filepath.Glob(filepath.Join(t.dir, "node-*", "bin", "node"))
	var nodes []Node
	for _, path := range append(t.search(), kept...) {
		n, ok := t.try(ctx, path)
		if ok && !slices.ContainsFunc(nodes, func(other Node) bool { return other.Path == n.Path }) {
			nodes = append(nodes, n)
		}
	}
	slices.SortStableFunc(nodes, func(a, b Node) int { return b.parsed().Compare(a.parsed()) })
	return nodes
}

// askNode has a candidate say its version and where it really is.
const askNode = `process.version + "\n" + process.execPath`

// try says which Node a candidate is, if it is one that runs. What a shim stands
// for may go while the shim stays.
func (t *Toolchains) try(ctx context.Context, path string) (Node, bool) {
	lines := t.answers(ctx, path, "-p", askNode)
	if len(lines) != 2 || !exists(lines[1]) {
		return Node{}, false
	}
	version, isVersion := strings.CutPrefix(lines[0], "v")
	if _, err := semver.StrictNewVersion(version); !isVersion || err != nil {
		return Node{}, false
	}
	return Node{Path: lines[1], Version: version, Brought: strings.HasPrefix(lines[1], t.dir+string(filepath.Separator))}, true
}
