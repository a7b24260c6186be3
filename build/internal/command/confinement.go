package command

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/slipwayhq/slipway/internal/cgroup"
	"github.com/slipwayhq/slipway/internal/confine"
	"github.com/slipwayhq/slipway/internal/mask"
)

// Settings of a server's builds.
type Settings struct {
	Data string // the data folder: programs see of it only what they are given
	// Users are the users of builds, of whom a server that is root needs two at
	// least: the first fetches, the others run apps, one a build. Zero: programs
	// run as the server's own user.
	Users Users
	// Wrapper is a program with arguments that every program of a build is
	// started by, the rest of its arguments being what it is to execute.
	Wrapper []string
	Limits  Limits
}

// Confinement is what the builds of a server are held by.
type Confinement struct {
	settings Settings
	groups   *cgroup.Tree
	hides    bool // folders, behind empty ones
	hideErr  error
}

// Confine finds out what the machine can do, and kills what a former process on
// the same data folder left behind.
func Confine(ctx context.Context, s Settings) (*Confinement, error) {
	if os.Geteuid() != 0 {
		s.Users = Users{} // nobody else can be become
	}
	sum := sha256.Sum256([]byte(s.Data))
	c := &Confinement{settings: s, groups: cgroup.Open(hex.EncodeToString(sum[:4]))}
	if err := s.Users.check(); err != nil {
		return nil, err
	}
	if err := c.try(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, goneWithin)
	defer cancel()
	return c, errors.Join(c.groups.Sweep(ctx), s.Users.sweep(ctx))
}

// try applies the policy once, to nobody.
func (c *Confinement) try(ctx context.Context) error {
	if !c.settings.Users.any() {
		return nil
	}
	p := confine.Policy{User: c.settings.Users.fetcher(), Hide: c.hidden(nil)}
	c.hideErr = once(ctx, p)
	if c.hides = c.hideErr == nil; c.hides {
		return nil
	}
	p.Hide = nil
	if err := once(ctx, p); err != nil {
		return fmt.Errorf("builds can not run as users of their own: %w; --build-uids none runs them as root", err)
	}
	if closed := confine.Closed(c.settings.Data + "/x"); len(closed) > 0 {
		return fmt.Errorf("builds run as users of their own, who can not enter %s: let all enter it (chmod o+x), let this server mount (%w), or run builds as root by --build-uids none", closed[0], c.hideErr)
	}
	return nil
}

// once tries a policy.
func once(ctx context.Context, p confine.Policy) error {
	child, err := p.Start(ctx, new(exec.Cmd))
	if err != nil {
		return err
	}
	return child.Wait()
}

// hidden folders: the server's own, and others that the program's user could
// not enter on the way to what it is given.
func (c *Confinement) hidden(paths []string) []string {
	return append(confine.Closed(paths...), c.settings.Data)
}

// Hold is one thing that builds are held by here, or why they are not.
type Hold struct {
	Name string
	By   string // "" if it does not hold
	Not  string // why
}

func (h Hold) String() string {
	if h.By == "" {
		return fmt.Sprintf("%s: no: %s", h.Name, h.Not)
	}
	return fmt.Sprintf("%s: %s", h.Name, h.By)
}

// Holds tells what builds are held by on this machine, for those who run it.
func (c *Confinement) Holds() []Hold {
	memory, processes := c.groups.Missing()
	users, landlock, view := Hold{Name: "own users"}, Hold{Name: "Landlock"}, Hold{Name: "data folder hidden"}
	switch {
	case c.settings.Users.any():
		users.By = fmt.Sprintf("%d to fetch, %d to %d to run apps", c.settings.Users.First, c.settings.Users.First+1, c.settings.Users.Last)
	case os.Geteuid() != 0:
		users.Not = "the server is not root: builds run as its user"
	default:
		users.Not = "switched off: builds run as root"
	}
	if v := confine.LandlockVersion(); v > 0 {
		landlock.By = fmt.Sprintf("version %d", v)
	} else {
		landlock.Not = "the kernel does not have it, or it is not switched on"
	}
	if view.By = "by a mount of its own"; !c.hides {
		view.By, view.Not = "", cmp.Or(text(c.hideErr), "builds run as the server's user: Landlock alone keeps them out")
	}
	return []Hold{
		users,
		{Name: "no new privileges", By: "always"},
		landlock,
		view,
		byGroup("memory", memory),
		byGroup("processes", processes),
		{Name: "time, disk, output", By: "the server watches"},
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func byGroup(name string, missing error) Hold {
	if missing == nil {
		return Hold{Name: name, By: "control group"}
	}
	return Hold{Name: name, By: "the server watches, since there is no control group: " + missing.Error()}
}

// Scope of a sandbox.
type Scope struct {
	Mark string       // what its programs are known by: a folder of the build
	Mask *mask.Masker // of what they say; may be nil
}

// Sandbox makes one for the programs of a build. It must be closed.
func (c *Confinement) Sandbox(s Scope) *Sandbox {
	return &Sandbox{Confinement: c, mark: s.Mark, mask: s.Mask}
}
