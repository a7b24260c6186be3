package process

import (
	"cmp"
	"errors"
	"path/filepath"
	"slices"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/cgroup"
	"github.com/slipwayhq/slipway/internal/confine"
)

// Walls keep agents from each other and from the server. Landlock and no new
// privileges apply in any case.
type Walls struct {
	// Data is the server's folder. An agent with a user of its own sees nothing
	// of it but what it is given.
	Data string
	// Users of agents, if this server is root.
	Users Users
	// Taken is a folder of links that say who has which user; UsersTaken if it
	// is "".
	Taken string
}

// Within sets walls.
func Within(w Walls) Option {
	w.Taken = cmp.Or(w.Taken, UsersTaken)
	return func(d *Driver) { d.walls = w }
}

// WithoutGroups has a driver do without control groups where there are some, as
// it does where there are none: the server watches the memory of agents.
func WithoutGroups() Option {
	return func(d *Driver) { d.groups = cgroup.None(errors.New("switched off")) }
}

// shared is what every program may write to beside its own folders: POSIX
// shared memory and semaphores have names there, owners and modes.
var shared = []string{"/dev/shm"}

// policy is what an attempt runs under.
func (d *Driver) policy(in *instance, w slipway.Workload, u *confine.User, g *cgroup.Group) confine.Policy {
	p := confine.Policy{
		Args: w.Args, Env: d.environment(in, w), Dir: in.work(),
		User: u, NoNewPrivileges: true, Confined: true, Umask: 0o022,
		Read:  append(slices.Clone(w.Read), w.Args[0]),
		Write: append(d.writable(in, w, u), shared...),
	}
	if u != nil {
		p.Hide = confine.Closed(slices.Concat(p.Read, p.Write)...)
		if d.walls.Data != "" {
			p.Hide = append(p.Hide, d.walls.Data)
		}
	}
	if g != nil {
		p.Born, p.Join = g.Entries()
	} else if u != nil {
		p.Limits.Processes = uint64(w.Limits.Processes)
	}
	return p
}

// writable are the folders of an agent. One that has a user of its own sees the
// whole folder of its deployment, in which only its own folders are that user's:
// so it finds its state where it is, even if that is replaced while it runs.
func (d *Driver) writable(in *instance, w slipway.Workload, u *confine.User) []string {
	if u != nil {
		return []string{d.deploymentFolder(in.deployment)}
	}
	return d.given(in, w)
}

// given are the folders that are an agent's own.
func (d *Driver) given(in *instance, w slipway.Workload) []string {
	folders := []string{in.work(), in.tmp()}
	if w.Socket {
		folders = append(folders, in.door())
	}
	if w.Keeps {
		folders = append(folders, in.keep())
	}
	if w.Stateful {
		folders = append(folders, d.stateFolder(in.deployment))
	}
	return folders
}

// passable are the folders on the way to those of an agent: it may pass, and
// not look.
func (d *Driver) passable(in *instance) []string {
	return []string{d.deploymentFolder(in.deployment), filepath.Dir(in.folder), in.folder}
}
