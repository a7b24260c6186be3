package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/toolchain"
	"github.com/slipwayhq/slipway/database/server"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/engine"
)

// Verdicts on one thing that a server needs.
const (
	verdictOK   = "ok"
	verdictWeak = "weak" // it works without, and less holds
	verdictBad  = "missing"
)

// finding is one thing that was looked at.
type finding struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"`
	Found   string `json:"found"`
	Get     string `json:"get,omitempty"` // how to get what is missing
}

var errUnwell = errors.New("this machine lacks something that a server needs")

type doctorOptions struct {
	data, ports, uids, dockerHost string
	json                          bool

	agentPorts slipway.PortRange
	users      process.Users
}

func newDoctorCommand() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what holds agents on this machine, and what a server would miss",
		Long: "Doctor looks at this machine as a server with the same flags would find it. It needs none to run.\n\n" +
			"It ends with 0 unless something is missing without which agents can not run. What is weak works, and less holds.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), c.OutOrStdout()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.data, "data", "./.slipway", "data folder of the server")
	flags.StringVar(&o.ports, "agent-ports", "20000-29999", "ports given to agents, first-last")
	registerAgentUIDs(flags, &o.uids)
	flags.StringVar(&o.dockerHost, "docker-host", "", "Docker Engine that runs images (default: "+dockerVariable+", or none)")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (o *doctorOptions) run(ctx context.Context, out io.Writer) (err error) {
	if _, err := fmt.Sscanf(o.ports, "%d-%d", &o.agentPorts.First, &o.agentPorts.Last); err != nil || !validPorts(o.agentPorts) {
		return usagef("--agent-ports %q: want first-last, such as 20000-29999", o.ports)
	}
	if o.users, err = agentUsers(o.uids); err != nil {
		return err
	}
	if o.data, err = filepath.Abs(o.data); err != nil {
		return err
	}
	o.dockerHost = cmp.Or(o.dockerHost, os.Getenv(dockerVariable))
	findings := o.look(ctx)
	if err := o.print(out, findings); err != nil {
		return err
	}
	if slices.ContainsFunc(findings, func(f finding) bool { return f.Verdict == verdictBad }) {
		return errUnwell
	}
	return nil
}

func (o *doctorOptions) print(out io.Writer, findings []finding) error {
	if o.json {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(findings)
	}
	rows := make([][]string, 0, len(findings))
	for _, f := range findings {
		rows = append(rows, []string{f.Verdict, f.Name, f.Found})
		if f.Get != "" {
			rows = append(rows, []string{"", "", "→ " + f.Get})
		}
	}
	return printTable(out, rows)
}

func (o *doctorOptions) look(ctx context.Context) []finding {
	var findings []finding
	for _, h := range process.Holds(ctx, process.Walls{Data: o.data, Users: o.users}) {
		findings = append(findings, held(h))
	}
	findings = append(findings, o.folder(), o.space(), o.freePorts(), openFiles(), o.service(ctx))
	return append(append(findings, o.toolchains(ctx)...), o.clock(), o.docker(ctx))
}

func held(h process.Hold) finding {
	f := finding{Name: h.Name, Verdict: verdictOK, Found: h.By, Get: h.Get}
	if h.Not != "" {
		f.Verdict, f.Found = verdictWeak, cmp.Or(h.By, "no")+": "+h.Not
	}
	return f
}

// above is the nearest folder that is there.
func above(path string) string {
	for path != "/" {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return path
		}
		path = filepath.Dir(path)
	}
	return path
}

// folder tries to write where the data lies or will lie, and to make a hole in a
// file there.
func (o *doctorOptions) folder() finding {
	f := finding{Name: "data folder", Verdict: verdictOK, Found: o.data}
	try, err := os.CreateTemp(above(o.data), "slipway-try-")
	if err != nil {
		f.Verdict, f.Found, f.Get = verdictBad, err.Error(), "let this user write there, or name another folder by --data"
		return f
	}
	defer os.Remove(try.Name())
	defer try.Close()
	_, err = try.Write(make([]byte, 64<<10))
	if err == nil {
		err = unix.Fallocate(int(try.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 32<<10)
	}
	if err != nil {
		f.Verdict, f.Found = verdictWeak, "its file system gives no space of a file back: the output of agents is not bounded: "+err.Error()
		f.Get = "ext4, XFS, Btrfs or tmpfs"
	}
	return f
}

// Space below which a server is not to be begun, and below which it is tight.
const (
	leastSpace = 1 << 30
	fairSpace  = 5 << 30
)

func (o *doctorOptions) space() finding {
	f := finding{Name: "disk space", Verdict: verdictOK}
	var stat unix.Statfs_t
	if err := unix.Statfs(above(o.data), &stat); err != nil {
		f.Verdict, f.Found = verdictWeak, err.Error()
		return f
	}
	free := stat.Bavail * uint64(stat.Bsize)
	f.Found = fmt.Sprintf("%.1f GiB free", float64(free)/(1<<30))
	switch {
	case free < leastSpace:
		f.Verdict = verdictBad
	case free < fairSpace:
		f.Verdict = verdictWeak
	}
	if f.Verdict != verdictOK {
		f.Get = "a JavaScript app takes about 0.3 GiB to build, a Python app 1 GiB"
	}
	return f
}

func (o *doctorOptions) freePorts() finding {
	r := o.agentPorts
	f := finding{Name: "ports for agents", Verdict: verdictOK, Found: fmt.Sprintf("%d to %d", r.First, r.Last)}
	free := false
	for port := r.First; port <= r.Last && !free; port++ {
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		free = err == nil && l.Close() == nil
	}
	var first, last int
	text, _ := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	_, err := fmt.Sscan(string(text), &first, &last)
	switch {
	case !free:
		f.Verdict, f.Found, f.Get = verdictBad, f.Found+", none of them free", "another range by --agent-ports"
	case err == nil && r.First <= last && first <= r.Last:
		f.Verdict, f.Found = verdictWeak, f.Found+fmt.Sprintf(", of which the kernel gives some to whoever connects (%d to %d)", first, last)
		f.Get = "a range outside of that by --agent-ports"
	}
	return f
}

// fairFiles is enough for some thousand connections, each of which takes two.
const fairFiles = 8192

func openFiles() finding {
	f := finding{Name: "open files", Verdict: verdictOK}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		f.Verdict, f.Found = verdictWeak, err.Error()
		return f
	}
	if f.Found = fmt.Sprintf("at most %d", limit.Max); limit.Max < fairFiles {
		f.Verdict, f.Get = verdictWeak, "LimitNOFILE=65536 in the systemd service, or ulimit -n: every stream takes two"
	}
	return f
}

func (o *doctorOptions) toolchains(ctx context.Context) []finding {
	tools := daemon.Toolchains(o.data)
	node := finding{Name: "Node", Verdict: verdictOK}
	if plan, err := tools.Plan(ctx, appconfig.MinNode); err != nil {
		node.Verdict, node.Found = verdictWeak, err.Error()
		node.Get = fmt.Sprintf("Node %d or later, or an npm registry that can be reached", appconfig.MinNode)
	} else {
		node.Found = plan.String()
	}
	python := finding{Name: "Python", Verdict: verdictOK}
	if p, err := tools.Python(ctx, 0, appconfig.MinPython, io.Discard); err != nil {
		python.Verdict, python.Found = verdictWeak, err.Error()
		python.Get = fmt.Sprintf("Python 3.%d or later, for Python apps", appconfig.MinPython)
	} else {
		python.Found = p.String()
	}
	return []finding{node, python, uv(ctx), o.postgres(ctx, tools), redis(ctx, tools)}
}

// postgres is the one that a server of our own would run, where agents need one
// and none is named.
func (o *doctorOptions) postgres(ctx context.Context, tools *toolchain.Toolchains) finding {
	f := finding{Name: "PostgreSQL", Verdict: verdictOK}
	wanted, err := server.Wants(daemon.PostgresFolder(o.data))
	if err == nil {
		installed, brought, missing := daemon.PostgresPrograms(tools).Plan(ctx, wanted)
		switch err = missing; {
		case installed != nil:
			f.Found = installed.String()
		default:
			f.Found = brought + ", brought from the Python index with the first agent that needs it"
		}
	}
	if err != nil {
		f.Verdict, f.Found, f.Get = verdictWeak, err.Error(), "a PostgreSQL of that version, for agents that need a database"
	}
	return f
}

// redis is the one that runs beside agents which need one, where none is named.
func redis(ctx context.Context, tools *toolchain.Toolchains) finding {
	f := finding{Name: "Redis", Verdict: verdictOK}
	switch installed, brought, err := daemon.RedisPrograms(tools).Plan(ctx); {
	case err != nil:
		f.Verdict, f.Found, f.Get = verdictWeak, err.Error(), "redis-server or valkey-server (apt install redis-server): without, instances of agents that need one do not share their work"
	case installed != nil:
		f.Found = installed.String()
	default:
		f.Found = brought + ", brought from the Python index with the first agent that needs it"
	}
	return f
}

func uv(ctx context.Context) finding {
	for _, path := range toolchain.UsualUVs() {
		if text, err := exec.CommandContext(ctx, path, "--version").Output(); err == nil {
			return finding{Name: "uv", Verdict: verdictOK, Found: strings.TrimSpace(string(text)) + " at " + path}
		}
	}
	return finding{Name: "uv", Verdict: verdictOK, Found: "brought from the Python index with the first Python app"}
}

// begunIn is before the first version: no clock that is right shows less.
var begunIn = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func (o *doctorOptions) clock() finding {
	f := finding{Name: "clock", Verdict: verdictOK, Found: time.Now().UTC().Format(time.RFC3339)}
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case time.Now().Before(begunIn):
		f.Verdict, f.Found, f.Get = verdictBad, f.Found+", which can not be", "set the clock: tokens and certificates have times"
	case err == nil && state == unix.TIME_ERROR:
		f.Verdict, f.Found, f.Get = verdictWeak, f.Found+", which nobody keeps in step", "a time service such as systemd-timesyncd or chrony; in a container, that of the host counts"
	}
	return f
}

// dockerPatience bounds the wait for an engine that does not answer.
const dockerPatience = 5 * time.Second

func (o *doctorOptions) docker(ctx context.Context) finding {
	f := finding{Name: "Docker Engine", Verdict: verdictOK, Found: "not asked for: images are not run"}
	if o.dockerHost == "" {
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, dockerPatience)
	defer cancel()
	e, err := engine.Open(o.dockerHost)
	if err == nil {
		defer e.Close()
		var v client.ServerVersionResult
		if v, err = e.ServerVersion(ctx, client.ServerVersionOptions{}); err == nil {
			f.Found = fmt.Sprintf("%s at %s", v.Version, o.dockerHost)
			return f
		}
	}
	f.Verdict, f.Found, f.Get = verdictBad, e.Explain(err).Error(), "start the engine, or let this user reach its socket"
	return f
}
