// Package programs finds PostgreSQL's programs on this machine, or has them
// brought.
//
// A candidate counts only after it has been run: Debian's commands in PATH are
// wrappers, and a file of that name may be a broken link or for another machine.
package programs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
)

// Programs that are asked for.
const (
	Server  = "postgres"
	Initdb  = "initdb"
	Dump    = "pg_dump"
	Restore = "pg_restore"
)

// Programs of one version, in one folder.
type Programs struct {
	Home    string // folder with them and all that they find from there
	Bin     string
	Version string // 15.14
	Major   int
}

// Path of a program.
func (p Programs) Path(name string) string { return filepath.Join(p.Bin, name) }

func (p Programs) String() string { return "PostgreSQL " + p.Version + " at " + p.Bin }

// Bringer brings programs to a machine that has none that fit.
type Bringer struct {
	Label string // what it brings, for people
	Major int
	Bring func(ctx context.Context) (home, bin string, err error)
}

// Finder looks for programs.
type Finder struct {
	Search func() []string // folders where they may lie; nil for the usual ones
	Bringer
}

// Wanted is what is looked for.
type Wanted struct {
	Names   []string
	Least   int  // major version, or a newer one
	Only    int  // major version, and no other; 0 for any
	Nearest bool // the oldest that fits, in place of the newest
}

// Servers are programs that run a server, of a version if that is not 0.
func Servers(only int) Wanted {
	return Wanted{Names: []string{Server, Initdb}, Least: Oldest, Only: only}
}

// Clients are programs that reach a server of a version: its own are best, since
// newer ones may say what it does not understand.
func Clients(server int) Wanted {
	return Wanted{Names: []string{Dump, Restore}, Least: server, Nearest: true}
}

// Oldest is the lowest major version that there is support for: it is the first
// that drops a database with who is connected to it, and makes UUIDs by itself.
const Oldest = 13

func (w Wanted) fits(major int) bool {
	return major >= w.Least && (w.Only == 0 || major == w.Only)
}

// Plan says what would be taken, without bringing it: programs that are
// installed, or else what would be brought.
func (f Finder) Plan(ctx context.Context, w Wanted) (installed *Programs, brought string, err error) {
	var others []string
	found := f.installed(ctx, w.Names)
	if w.Nearest {
		slices.Reverse(found)
	}
	for _, p := range found {
		if w.fits(p.Major) {
			return &p, "", nil
		}
		others = append(others, p.String())
	}
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	if f.Bring != nil && w.fits(f.Major) {
		return nil, f.Label, nil
	}
	return nil, "", w.missing(others)
}

// Find returns programs that are installed, or else brings them.
func (f Finder) Find(ctx context.Context, w Wanted) (Programs, error) {
	installed, _, err := f.Plan(ctx, w)
	if err != nil {
		return Programs{}, err
	}
	if installed != nil {
		return *installed, nil
	}
	home, bin, err := f.Bring(ctx)
	if err != nil {
		return Programs{}, NotBrought("PostgreSQL is not installed here, and", err)
	}
	p, ok := try(ctx, bin, w.Names)
	if !ok {
		return p, fmt.Errorf("PostgreSQL's programs in %s do not run", bin)
	}
	p.Home = home
	return p, nil
}

// missing is final: somebody must install something.
func (w Wanted) missing(others []string) error {
	what := fmt.Sprintf("of version %d or later", w.Least)
	packages := "postgresql (a Debian package, which other systems have too)"
	if w.Only != 0 {
		what, packages = fmt.Sprintf("of version %d", w.Only), fmt.Sprintf("postgresql-%d", w.Only)
	}
	found := "none are installed"
	if len(others) > 0 {
		found = "there is only " + strings.Join(others, ", ")
	}
	return &slipway.Failure{
		Phase: slipway.PhaseDeploy, Step: "database", Code: "postgres_missing",
		Message: fmt.Sprintf("PostgreSQL's programs (%s) %s are wanted, and %s.", strings.Join(w.Names, ", "), what, found),
		Hint:    "Install " + packages + " on the machine that Slipway runs on.",
	}
}

// installed programs, the newest first.
func (f Finder) installed(ctx context.Context, names []string) []Programs {
	search := f.Search
	if search == nil {
		search = func() []string { return usual(ctx) }
	}
	var found []Programs
	for _, bin := range search() {
		if p, ok := try(ctx, bin, names); ok && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b Programs) int { return b.Major - a.Major })
	return found
}

// usual folders: Debian, Red Hat and the source itself have one a version, and
// none in PATH.
func usual(ctx context.Context) []string {
	var folders []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/lib/postgresql*/bin", "/usr/local/pgsql/bin"} {
		found, _ := filepath.Glob(pattern)
		folders = append(folders, found...)
	}
	for _, name := range []string{Server, Dump} {
		if path, err := exec.LookPath(name); err == nil {
			if path, err = filepath.EvalSymlinks(path); err == nil {
				folders = append(folders, filepath.Dir(path))
			}
		}
	}
	if said := Ask(ctx, "pg_config", "--bindir"); filepath.IsAbs(said) {
		folders = append(folders, said)
	}
	return folders
}

var version = regexp.MustCompile(`\(PostgreSQL\) ((\d+)[.\w]*)`)

// try runs the programs in a folder.
func try(ctx context.Context, bin string, names []string) (Programs, bool) {
	p := Programs{Home: filepath.Dir(bin), Bin: bin}
	for _, name := range names {
		path := p.Path(name)
		if real, err := filepath.EvalSymlinks(path); err != nil || filepath.Base(real) != name {
			return p, false
		}
		said := version.FindStringSubmatch(Ask(ctx, path, "--version"))
		if said == nil || p.Version != "" && said[1] != p.Version {
			return p, false
		}
		p.Version = said[1]
		p.Major, _ = strconv.Atoi(said[2])
	}
	return p, p.Version != ""
}

// askFor is how long a candidate may take to answer.
const askFor = 10 * time.Second

// NotBrought has what can not be brought be tried again: what is final for a build
// is not so for a server.
func NotBrought(what string, err error) error {
	if final, ok := errors.AsType[*slipway.Failure](err); ok {
		return fmt.Errorf("%s can not be brought: %s %s", what, final.Message, final.Hint)
	}
	return err
}

// Ask returns what a program says, "" if it does not end well.
func Ask(ctx context.Context, path string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
