package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/slipwayhq/slipway/internal/cgroup"
	"github.com/slipwayhq/slipway/internal/confine"
)

// Hold is one wall or limit, as far as it is there on this machine.
type Hold struct {
	Name string
	By   string // what holds; "" if nothing does
	Not  string // why nothing, or something less, does
	Get  string // how to get it
}

// Holds says what agents of a server on this machine are held by. It tries each
// and leaves nothing behind.
func Holds(ctx context.Context, w Walls) []Hold {
	return append([]Hold{holdUsers(ctx, w.Users), holdLandlock(), {Name: "no new privileges", By: "always"}}, holdLimits()...)
}

func holdUsers(ctx context.Context, u Users) Hold {
	h := Hold{Name: "own users"}
	switch {
	case os.Geteuid() != 0:
		h.Not, h.Get = "the server is not root: agents run as its user, and only Landlock keeps them from its files and from each other's", "run the server as root"
	case !u.any():
		h.Not, h.Get = "switched off: agents run as root", "leave out --agent-uids none"
	default:
		h.By = fmt.Sprintf("%d to %d, one a deployment", u.First, u.Last)
		if err := tryUser(ctx, u); err != nil {
			h.By, h.Not, h.Get = "", err.Error(), "let the server mount and change users (CAP_SYS_ADMIN, CAP_SETUID), or give --agent-uids none"
		}
	}
	return h
}

// tryUser becomes a user and hides a folder, as every agent does.
func tryUser(ctx context.Context, u Users) error {
	hidden, err := os.MkdirTemp("", "slipway-try-")
	if err != nil {
		return err
	}
	defer os.Remove(hidden)
	return become(ctx, confine.Policy{User: user(u.First), Hide: []string{hidden}})
}

// become applies a policy, once, to nobody.
func become(ctx context.Context, p confine.Policy) error {
	child, err := p.Start(ctx, new(exec.Cmd))
	if err != nil {
		return err
	}
	return child.Wait()
}

func holdLandlock() Hold {
	v := confine.LandlockVersion()
	h := Hold{Name: "Landlock", By: fmt.Sprintf("version %d", v)}
	switch {
	case v == 0:
		h.By, h.Not = "", "the kernel does not have it, or it is not switched on"
		h.Get = "Linux 5.13 or later, with landlock among the kernel's lsm="
	case v < 6:
		h.Not, h.Get = "agents of the same user can send each other signals", "Linux 6.12 or later"
	}
	return h
}

func holdLimits() []Hold {
	tree := cgroup.Open("doctor")
	memoryErr, processesErr := tree.Missing()
	const get = "as a systemd service: Delegate=yes and, from systemd 254 on, DelegateSubgroup=" + cgroup.Subgroup + "; else root and a writable /sys/fs/cgroup"
	memory := byGroup("memory limit", memoryErr, get)
	if memoryErr == nil {
		memory.By = fmt.Sprintf("control groups, version %d", tree.Version())
	} else {
		memory.By = "the server watches it, once a second"
	}
	processes := byGroup("limit of processes", processesErr, get)
	if processesErr != nil && os.Geteuid() == 0 {
		processes.By = "the user's (RLIMIT_NPROC), all instances of a deployment together"
	}
	stragglers := Hold{Name: "stragglers", By: "control groups"}
	if !tree.Holds() {
		stragglers.By, stragglers.Get = "marks in their variables, output and session", get
		stragglers.Not = "a process that sheds all three is not found"
	}
	disk := Hold{
		Name: "disk limit", By: "the server looks, every ten seconds or less often",
		Not: "an agent can pass it until then, and what it has removed and holds open is not seen",
	}
	return []Hold{memory, byGroup("processor limit", tree.MissingCPU(), get), processes, disk, stragglers}
}

func byGroup(name string, missing error, get string) Hold {
	if missing == nil {
		return Hold{Name: name, By: "control groups"}
	}
	return Hold{Name: name, Not: missing.Error(), Get: get}
}
