package process

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway"
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is all variables of an agent: its own, and ours over them. Only
// PATH and LANG are its own to choose.
func (d *Driver) environment(in *instance, w slipway.Workload) []string {
	vars := map[string]string{"PATH": defaultPath, "LANG": "C.UTF-8"}
	for _, v := range w.Env {
		vars[v.Name] = v.Value
	}
	maps.Copy(vars, d.fixed(in, w))
	env := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, name+"="+vars[name])
	}
	return env
}

func (d *Driver) fixed(in *instance, w slipway.Workload) map[string]string {
	vars := map[string]string{
		"HOME":      in.work(),
		"TMPDIR":    in.tmp(),
		"HOST":      "127.0.0.1",
		varPort:     strconv.Itoa(w.Port),
		varInstance: string(in.id),
		varAttempt:  strconv.Itoa(w.Attempt),
		varFolder:   in.folder,
		varControl:  in.control(),
		varPublic:   publicNames(w.Env),
	}
	if w.Socket {
		vars[varSocket] = in.socket()
	}
	if w.Keeps {
		vars[varKeep] = in.keep()
	}
	if w.StandBy {
		vars[varStandBy] = "1"
	}
	if w.Stateful {
		vars[varState] = d.stateFolder(in.deployment)
	}
	return vars
}

// publicNames lists the variables that may be quoted: whoever adopts the process
// reads them from it.
func publicNames(vars []slipway.EnvVar) string {
	var names []string
	for _, v := range vars {
		if v.Public {
			names = append(names, v.Name)
		}
	}
	return strings.Join(names, ",")
}
