package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/slipwayhq/slipway/internal/cgroup"
	"github.com/slipwayhq/slipway/internal/daemon"
)

// usualUnit is the one that contrib/systemd has.
const usualUnit = "slipway.service"

// service looks at the unit of the server that runs on the data folder, or at the
// usual one: whether a restart of it leaves agents alone.
func (o *doctorOptions) service(ctx context.Context) finding {
	f := finding{Name: "service", Verdict: verdictOK, Found: "systemd does not run here"}
	if info, err := os.Stat("/run/systemd/system"); err != nil || !info.IsDir() {
		return f
	}
	unit := usualUnit
	args := []string{"show", "--property=LoadState,KillMode,Delegate,DelegateSubgroup"}
	if pid := daemon.Holder(o.data); pid != 0 {
		groups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		var own bool
		if unit, own = unitOf(string(groups)); unit == "" {
			f.Found = fmt.Sprintf("the server with pid %d is none", pid)
			return f
		}
		if own {
			args = append(args, "--user")
		}
	}
	said, err := exec.CommandContext(ctx, "systemctl", append(args, unit)...).Output()
	if err != nil {
		f.Verdict, f.Found, f.Get = verdictWeak, fmt.Sprintf("systemctl show %s: %v", unit, err), "run this as the user whose service it is"
		return f
	}
	return judgeUnit(unit, string(said))
}

// unitOf finds the service in lines such as "0::/system.slice/slipway.service",
// "" if there is none, and whether it is one of a user's own.
func unitOf(groups string) (unit string, own bool) {
	for line := range strings.Lines(groups) {
		_, path, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(path, ":")
		if controllers != "" && controllers != "name=systemd" {
			continue
		}
		for part := range strings.SplitSeq(path, "/") {
			switch {
			case strings.HasPrefix(part, "user@"):
				own = true
			case strings.HasSuffix(part, ".service"):
				unit = part
			}
		}
	}
	return unit, own
}

// judgeUnit reads what systemctl shows of a unit.
func judgeUnit(unit, said string) finding {
	has := map[string]string{}
	for line := range strings.Lines(said) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		has[name] = value
	}
	f := finding{Name: "service", Verdict: verdictOK, Found: unit}
	if has["LoadState"] == "not-found" {
		f.Found = "none is installed"
		return f
	}
	weak := func(found, get string) finding {
		f.Verdict, f.Found, f.Get = verdictWeak, unit+" has "+found, get+" in its unit (docs/service.md)"
		return f
	}
	subgroup, known := has["DelegateSubgroup"]
	switch {
	case has["KillMode"] != "process":
		return weak("KillMode="+has["KillMode"]+": a restart of it ends every agent", "KillMode=process")
	case has["Delegate"] != "yes":
		return weak("no Delegate=yes: memory is watched, processors are not bounded", "Delegate=yes and DelegateSubgroup="+cgroup.Subgroup)
	case !known:
		return weak("no group for the server itself: memory is watched, processors are not bounded", "systemd 254 or later, and DelegateSubgroup="+cgroup.Subgroup)
	case subgroup != cgroup.Subgroup:
		return weak(fmt.Sprintf("DelegateSubgroup=%s: memory is watched, processors are not bounded", subgroup), "DelegateSubgroup="+cgroup.Subgroup)
	}
	return f
}
