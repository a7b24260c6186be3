package docker

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/reason"
	"github.com/slipwayhq/slipway/internal/engine"
)

// Labels that say what a container is to us.
const (
	labelOwner      = "slipway.owner"
	labelDeployment = "slipway.deployment"
	labelInstance   = "slipway.instance"
	labelRevision   = "slipway.revision"
	labelAttempt    = "slipway.attempt"
	labelPort       = "slipway.port"
	labelSecrets    = "slipway.secrets" // names of the variables that must not be quoted
	labelDisk       = "slipway.disk"    // MiB that it may keep, 0 for any number
)

// portInside is where an agent is told to listen.
var portInside = network.MustParsePort("8000/tcp")

// Of what a container prints the engine keeps the last 30 MB: so much may be
// printed while no server runs to read it. (The driver "local" loses the end of
// lines that are longer than 16 KiB.)
var logConfig = container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10m", "max-file": "3"}}

func name(i slipway.InstanceID) string { return "slipway-" + string(i) }

// look is a container of ours as the engine describes it.
type look struct {
	id         string
	deployment slipway.DeploymentID
	instance   slipway.InstanceID
	attempt    int
	port       string
	stopSignal string
	secrets    []string // to be masked in what is quoted
	memory     int64    // bytes that it may use, 0 for any
	disk       int64    // bytes that it may keep, 0 for any
	control    []string // argv of what its agent is asked by, none if it can not be asked
	stoodBy    bool     // it was started to stand by
	volume     string   // the volume that it has its state in, "" for none
	state      *container.State
}

// inspect looks at the container of an instance, nil if it has none.
func (d *Driver) inspect(ctx context.Context, in *instance) (*look, error) {
	found, err := d.Engine.ContainerInspect(ctx, name(in.id), client.ContainerInspectOptions{})
	if engine.NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("inspect container: %w", d.Engine.Explain(err))
	}
	c := found.Container
	if c.Config == nil || c.State == nil || c.Config.Labels[labelOwner] != d.Owner || c.Config.Labels[labelInstance] != string(in.id) {
		return nil, fmt.Errorf("the container named %s is none of this installation's: remove or rename it", name(in.id))
	}
	l := newLook(c)
	in.remember(l)
	return l, nil
}

// remember keeps how a container looks that runs.
func (in *instance) remember(l *look) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.seen = nil; l.running() {
		in.seen = l
	} else if in.line != nil {
		in.line.Close()
		in.line = nil
	}
}

// lastSeen is the container that ran when it was last looked at, nil if none did.
func (in *instance) lastSeen() *look {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.seen
}

func newLook(c container.InspectResponse) *look {
	labels := c.Config.Labels
	attempt, _ := strconv.Atoi(labels[labelAttempt])
	l := &look{
		id: c.ID, deployment: slipway.DeploymentID(labels[labelDeployment]), instance: slipway.InstanceID(labels[labelInstance]),
		attempt: attempt, port: labels[labelPort], stopSignal: c.Config.StopSignal,
		secrets: secrets(c.Config), state: c.State, disk: diskLimit(labels[labelDisk]),
		control: controlOf(labels), stoodBy: slices.Contains(c.Config.Env, varStandBy),
	}
	for _, m := range c.Mounts {
		if m.Destination == stateDir {
			l.volume = m.Name
		}
	}
	if c.HostConfig != nil {
		l.memory = c.HostConfig.Memory
	}
	return l
}

// secrets are the values of the variables that were given as secrets.
func secrets(c *container.Config) []string {
	var vars []slipway.EnvVar
	names := strings.Split(c.Labels[labelSecrets], ",")
	for _, pair := range c.Env {
		if name, value, _ := strings.Cut(pair, "="); slices.Contains(names, name) {
			vars = append(vars, slipway.EnvVar{Name: name, Value: value})
		}
	}
	return reason.Secrets(vars)
}

// running says whether anything of the container is alive.
func (l *look) running() bool { return l != nil && l.state.Running }

// ended says whether the container ran and ended: one that was only created
// never ran.
func (l *look) ended() bool {
	return l != nil && !l.state.Running && (l.state.Status == container.StateExited || l.state.Status == container.StateDead)
}

func (l *look) address() string { return net.JoinHostPort("127.0.0.1", l.port) }

// finished is when the container ended.
func (l *look) finished() time.Time {
	at, _ := time.Parse(time.RFC3339Nano, l.state.FinishedAt)
	return at.UTC()
}

// createLimit is for an engine that is busy.
const createLimit = time.Minute

// create makes the container of an attempt. The end of ctx does not end it: an
// engine makes what nobody waits for any more, after all that there was has been
// removed. Once it is there, whoever has the instance's turn next finds it.
func (d *Driver) create(ctx context.Context, w slipway.Workload) (id string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createLimit)
	defer cancel()
	made, err := d.Engine.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: name(w.Instance),
		Config: &container.Config{
			Image: w.Image, Cmd: w.Args, Env: environment(w), Labels: d.labels(w),
			ExposedPorts: network.PortSet{portInside: {}},
		},
		HostConfig: &container.HostConfig{
			PortBindings: network.PortMap{portInside: {{
				HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(w.Port),
			}}},
			NetworkMode:   container.NetworkMode(networkName(w.Deployment)),
			LogConfig:     logConfig,
			RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
			SecurityOpt:   []string{"no-new-privileges"},
			CapDrop:       []string{"ALL"},
			Resources:     resources(w.Limits),
			Mounts:        d.mounts(w),
		},
	})
	return made.ID, err
}

// mostProcesses is how many processes and threads a container may have that is
// given no limit: more than an agent needs, fewer than a machine has numbers for.
const mostProcesses = 4096

// cpuPeriod is the time, in µs, over which a quota of processor time is counted.
const cpuPeriod = 100_000

// resources are limits as the engine has them. The quota may be more than the
// machine has. There is no swap beyond the memory, and no core is dumped.
func resources(l slipway.Limits) container.Resources {
	r := container.Resources{Ulimits: []*container.Ulimit{{Name: "core"}}}
	if l.CPU > 0 {
		r.CPUPeriod, r.CPUQuota = cpuPeriod, max(int64(l.CPU*cpuPeriod), 1000) // the least the kernel takes
	}
	if l.MemoryMB > 0 {
		r.Memory = max(int64(l.MemoryMB), leastMemoryMB) << 20
		r.MemorySwap = r.Memory
	}
	processes := int64(cmp.Or(l.Processes, mostProcesses))
	r.PidsLimit = &processes
	return r
}

// leastMemoryMB is what engines want a container to have.
const leastMemoryMB = 6

// environment is the deployment's variables, and ours over them.
func environment(w slipway.Workload) []string {
	ours := []slipway.EnvVar{
		{Name: "HOST", Value: "0.0.0.0"},
		{Name: "PORT", Value: strconv.Itoa(int(portInside.Num()))},
		{Name: "SLIPWAY_INSTANCE", Value: string(w.Instance)},
		{Name: "SLIPWAY_ATTEMPT", Value: strconv.Itoa(w.Attempt)},
	}
	if w.Stateful {
		ours = append(ours, slipway.EnvVar{Name: "SLIPWAY_STATE_DIR", Value: stateDir})
	}
	var env []string
	for _, v := range slices.Concat(w.Env, ours) { // the last of a name counts
		env = append(env, v.Name+"="+v.Value)
	}
	if w.StandBy {
		env = append(env, varStandBy)
	}
	return env
}

func (d *Driver) labels(w slipway.Workload) map[string]string {
	var secrets []string
	for _, v := range w.Env {
		if !v.Public {
			secrets = append(secrets, v.Name)
		}
	}
	return map[string]string{
		labelOwner:      d.Owner,
		labelDeployment: string(w.Deployment),
		labelInstance:   string(w.Instance),
		labelRevision:   string(w.Revision),
		labelAttempt:    strconv.Itoa(w.Attempt),
		labelPort:       strconv.Itoa(w.Port),
		labelSecrets:    strings.Join(secrets, ","),
		labelDisk:       diskLabel(w.Limits),
	}
}
