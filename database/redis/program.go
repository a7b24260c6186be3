package redis

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database/programs"
)

// Program is a Redis or Valkey server.
type Program struct {
	Path    string
	Home    string // folder of one that was brought, with all that it needs
	Version string // Valkey 9.1.2
}

func (p Program) String() string { return p.Version + " at " + p.Path }

// Finder looks for a program on this machine, or has one brought.
type Finder struct {
	Search func() []string // where one may lie; nil for the usual places
	Label  string          // what is brought, for people
	Bring  func(ctx context.Context) (home, path string, err error)
}

// oldest is the first version whose files all later ones read: see settings.
const oldest = 7

// Plan says what would be taken, without bringing it: what is installed, or else
// what would be brought.
func (f Finder) Plan(ctx context.Context) (installed *Program, brought string, err error) {
	search := f.Search
	if search == nil {
		search = usual
	}
	var others []string
	for _, path := range search() {
		p, major := try(ctx, path)
		switch {
		case major >= oldest:
			return &p, "", nil
		case major > 0:
			others = append(others, p.String())
		}
	}
	if f.Bring != nil || ctx.Err() != nil {
		return nil, f.Label, ctx.Err()
	}
	return nil, "", missing(others)
}

// Find returns what is installed, or else brings it.
func (f Finder) Find(ctx context.Context) (Program, error) {
	installed, _, err := f.Plan(ctx)
	if err != nil {
		return Program{}, err
	}
	if installed != nil {
		return *installed, nil
	}
	home, path, err := f.Bring(ctx)
	if err != nil {
		return Program{}, programs.NotBrought("no Redis is installed here, and Valkey", err)
	}
	p, major := try(ctx, path)
	if p.Home = home; major < oldest {
		return p, fmt.Errorf("the Valkey at %s does not run", path)
	}
	return p, nil
}

// missing is final: somebody must install something.
func missing(others []string) error {
	found := "none is installed"
	if len(others) > 0 {
		found = "there is only " + strings.Join(others, ", ")
	}
	return &slipway.Failure{
		Phase: slipway.PhaseDeploy, Step: "database", Code: "redis_missing",
		Message: fmt.Sprintf("A Redis or Valkey server of version %d or later is wanted, and %s.", oldest, found),
		Hint:    "Install redis-server or valkey-server on the machine that Slipway runs on (apt install redis-server).",
	}
}

// usual places, of which those in PATH come first.
func usual() (paths []string) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil && filepath.IsAbs(path) {
			paths = append(paths, path)
		}
		paths = append(paths, "/usr/bin/"+name, "/usr/local/bin/"+name)
	}
	return paths
}

var version = regexp.MustCompile(`^((?:Redis|Valkey) server) v=((\d+)[.\w]*)`)

// try runs what may be a program; 0 if it is none.
func try(ctx context.Context, path string) (p Program, major int) {
	said := version.FindStringSubmatch(programs.Ask(ctx, path, "--version"))
	if said == nil {
		return p, 0
	}
	major, _ = strconv.Atoi(said[3])
	name, _, _ := strings.Cut(said[1], " ")
	return Program{Path: path, Version: name + " " + said[2]}, major
}
