package main

import (
	"strings"
	"testing"
)

func TestUnitOf(t *testing.T) {
	for groups, want := range map[string]string{
		"0::/system.slice/slipway.service\n":                                        "slipway.service",
		"0::/system.slice/slipway.service/slipway-server\n":                         "slipway.service",
		"12:pids:/other.service\n1:name=systemd:/system.slice/mine.service\n0::/\n": "mine.service",
		"0::/user.slice/user-0.slice/session-3.scope\n":                             "",
		"0::/user.slice/user-7.slice/user@7.service/app.slice/slipway.service\n":    "slipway.service, own",
		"0::/\n": "",
		"":       "",
	} {
		unit, own := unitOf(groups)
		if own {
			unit += ", own"
		}
		if unit != want {
			t.Errorf("%q is %q, want %q", groups, unit, want)
		}
	}
}

func TestJudgeUnit(t *testing.T) {
	for name, c := range map[string]struct{ said, verdict, found, get string }{
		"ours":                 {"LoadState=loaded\nKillMode=process\nDelegate=yes\nDelegateSubgroup=slipway-server\n", verdictOK, "slipway.service", ""},
		"not installed":        {"LoadState=not-found\nKillMode=control-group\nDelegate=no\nDelegateSubgroup=\n", verdictOK, "none is installed", ""},
		"the default":          {"LoadState=loaded\nKillMode=control-group\nDelegate=no\nDelegateSubgroup=\n", verdictWeak, "KillMode=control-group: a restart of it ends every agent", "KillMode=process"},
		"mixed":                {"LoadState=loaded\nKillMode=mixed\nDelegate=yes\n", verdictWeak, "KillMode=mixed", "KillMode=process"},
		"nothing is passed on": {"LoadState=loaded\nKillMode=process\nDelegate=no\nDelegateSubgroup=\n", verdictWeak, "no Delegate=yes", "Delegate=yes and DelegateSubgroup=slipway-server"},
		"an old systemd":       {"LoadState=loaded\nKillMode=process\nDelegate=yes\n", verdictWeak, "no group for the server itself", "systemd 254"},
		"no group":             {"LoadState=loaded\nKillMode=process\nDelegate=yes\nDelegateSubgroup=\n", verdictWeak, "DelegateSubgroup=:", "DelegateSubgroup=slipway-server"},
	} {
		t.Run(name, func(t *testing.T) {
			f := judgeUnit("slipway.service", c.said)
			if f.Verdict != c.verdict || !strings.Contains(f.Found, c.found) || !strings.Contains(f.Get, c.get) || (f.Get == "") != (c.verdict == verdictOK) {
				t.Errorf("%+v, want %s %q %q", f, c.verdict, c.found, c.get)
			}
		})
	}
}
