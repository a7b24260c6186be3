package simulation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/fake"
)

// agents is what runs: the script of the fake driver, and hands to break it.
type agents struct {
	mu      sync.Mutex
	running map[string]*agent // by address, the last that was started there
	turned  map[string]string // mode by digest of the source, from now on

	spoilt   bool // no Redis stays up
	occupied int  // ports of the next Redis that strangers hold
}

type agent struct {
	instance slipway.InstanceID
	mode     string
	exit     chan slipway.Exit
	began    time.Time
}

func newAgents() *agents { return &agents{running: map[string]*agent{}, turned: map[string]string{}} }

// start is the fake driver's script.
func (a *agents) start(w slipway.Workload) fake.Behaviour {
	s := parse(strings.Join(w.Args[1:], " "))
	a.mu.Lock()
	defer a.mu.Unlock()
	mode := a.modeOfRedis(w)
	if mode == "" {
		mode = s["agent"]
	}
	if turned, ok := a.turned[s["nonce"]]; ok {
		mode = turned
	}
	run := &agent{instance: w.Instance, mode: mode, exit: make(chan slipway.Exit, 1), began: time.Now()}
	address := fmt.Sprintf("127.0.0.1:%d", w.Port)
	a.running[address] = run
	b := fake.Behaviour{Address: address, Exit: run.exit, Output: func() []byte { return []byte("started\n") }}
	b.Opens = func(state []byte) []byte {
		if mode == ruins {
			run.exit <- slipway.Exit{Code: 1, Reason: "it can not read the state, and wrote some"}
		}
		return fmt.Append(slices.Clone(state), w.Revision, "\n")
	}
	switch mode {
	case busy:
		b.Runs = func() slipway.Runs { return slipway.Runs{Running: 1} }
	case stuck:
		b.Runs = func() slipway.Runs { return slipway.Runs{Pending: 1, Oldest: time.Since(run.began), Workers: 3} }
	case crashes:
		run.exit <- slipway.Exit{Code: 3, Reason: "it threw"}
	case exitsOnce:
		if run.mode = serves; w.Attempt == 1 {
			run.mode = crashes
			run.exit <- slipway.Exit{Code: 3, Reason: "it threw once"}
		}
	case refuses:
		run.exit <- slipway.Exit{Code: 1, Reason: "no graph"}
	case damaged:
		run.exit <- slipway.Exit{Code: 1, Reason: "its file is damaged"}
	case mute:
		b.Address = ""
	case servesLate:
		ready := make(chan struct{})
		time.AfterFunc(5*time.Second, func() { close(ready) })
		b.Ready = ready
	case deafToStop:
		b.Deaf = true
	case lingers:
		b.Lingers = 5 * time.Second
	case passesOnly:
		time.AfterFunc(3*time.Second, func() { run.end(slipway.Exit{Code: 4, Reason: "it threw after a while"}) })
	case cannotRun:
		b.Fail = &slipway.Failure{Phase: slipway.PhaseDeploy, Step: "start", Code: "cannot_start", Message: "exec format error"}
	case strangers:
		b.Fail = &slipway.Failure{Phase: slipway.PhaseDeploy, Step: "start", Code: slipway.PortInUse, Message: "port in use"}
	}
	return b
}

// modeOfRedis is "" for what is none.
func (a *agents) modeOfRedis(w slipway.Workload) string {
	switch {
	case !isRedis(w.Deployment, w.Instance):
		return ""
	case a.spoilt:
		return damaged
	case a.occupied > 0:
		a.occupied--
		return strangers
	}
	return serves
}

// spoil has every Redis end as soon as it starts, or not any more.
func (a *agents) spoil(spoilt bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spoilt = spoilt
}

// occupy has strangers hold the next ports that a Redis comes to.
func (a *agents) occupy(ports int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.occupied = ports
}

func (a *agent) end(e slipway.Exit) {
	e.At = time.Now()
	select {
	case a.exit <- e:
	default:
	}
}

// silent says whether what was last started at an address does not answer any
// more.
func (a *agents) silent(address string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	run := a.running[address]
	return run != nil && run.mode == hangs && time.Since(run.began) > 10*time.Second
}

// at is the mode of what was last started at an address.
func (a *agents) at(address string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if run := a.running[address]; run != nil {
		return run.mode
	}
	return ""
}

// crash ends what runs at an address, if anything.
func (a *agents) crash(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if run := a.running[address]; run != nil {
		run.end(slipway.Exit{Code: 137, Signal: "SIGKILL", Reason: "crashed on demand"})
	}
}

// turn changes what a source does from its next start on; "" for as written.
func (a *agents) turn(nonce, mode string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if delete(a.turned, nonce); mode != "" {
		a.turned[nonce] = mode
	}
}

func (a *agents) mode(s script) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if turned, ok := a.turned[s["nonce"]]; ok {
		return turned
	}
	return s["agent"]
}

// checked is the driver with eyes: what must not be asked of it is a fault.
type checked struct {
	*drivers
	w      *world
	routes *router // of the same life
}

func (c checked) Apply(ctx context.Context, l slipway.Workload) (slipway.Observed, error) {
	c.w.mustOwn(l.Deployment, slipway.ItemInstance, string(l.Instance))
	if isRedis(l.Deployment, l.Instance) {
		c.w.mustOwn(l.Deployment, slipway.ItemRedis, string(l.Deployment))
		return c.drivers.Apply(ctx, l)
	}
	if l.Stateful {
		c.w.mustOwn(l.Deployment, slipway.ItemState, string(l.Deployment))
		if !l.StandBy {
			c.mustBeAlone(ctx, "instance "+string(l.Instance)+" starts", l.Deployment, l.Instance)
		}
	}
	c.w.servers.began(l)
	return c.drivers.Apply(ctx, l)
}

// mustBeAlone: of an exclusive kind no two have their state open at once, and
// nobody while it is copied or replaced.
func (c checked) mustBeAlone(ctx context.Context, what string, d slipway.DeploymentID, i slipway.InstanceID) {
	all, _ := c.List(context.WithoutCancel(ctx))
	for _, o := range all {
		if o.Deployment == d && o.Instance != i && !isRedis(d, o.Instance) && o.Phase == slipway.PhaseRunning && !o.StandsBy && !o.Yielded && c.w.owns(o) {
			c.w.fault("%s while %s runs", what, o.Instance)
		}
	}
}

// Inspect fails, or waits, of what is in an engine that is down or says nothing.
func (c checked) Inspect(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID) (slipway.Observed, error) {
	if o, err := c.images.Inspect(ctx, d, i); err != nil || o.Phase == slipway.PhaseAbsent {
		return c.drivers.Inspect(ctx, d, i)
	}
	for c.w.failing(engineHangs) {
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return slipway.Observed{}, err
		}
	}
	if c.w.failing(engineDown) {
		return slipway.Observed{}, errDown
	}
	return c.drivers.Inspect(ctx, d, i)
}

// What an engine may suffer from.
const (
	engineDown  = "engine"
	engineHangs = "engine in time"
)

func (c checked) Release(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID) error {
	if c.w.failing("release") {
		return fmt.Errorf("instance %s does not hear", i)
	}
	c.mustBeAlone(ctx, "instance "+string(i)+" is released", d, i)
	return c.drivers.Release(ctx, d, i)
}

func (c checked) Snapshot(ctx context.Context, d slipway.DeploymentID, name string) error {
	if c.w.failing("snapshot") {
		return fmt.Errorf("the state of %s can not be copied", d)
	}
	c.mustBeAlone(ctx, "the state is copied", d, "")
	return c.drivers.Snapshot(ctx, d, name)
}

func (c checked) Restore(ctx context.Context, d slipway.DeploymentID, name string) error {
	if c.w.failing("restore") {
		return fmt.Errorf("the state of %s can not be put back", d)
	}
	c.mustBeAlone(ctx, "the state is put back", d, "")
	return c.drivers.Restore(ctx, d, name)
}

func (c checked) Discard(ctx context.Context, d slipway.DeploymentID, name string) error {
	if c.w.failing("discard") {
		return fmt.Errorf("the snapshot %s is busy", name)
	}
	return c.drivers.Discard(ctx, d, name)
}

func (c checked) Yield(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	return c.stop(ctx, d, i, grace, c.drivers.Yield)
}

func (c checked) Stop(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	return c.stop(ctx, d, i, grace, c.drivers.Stop)
}

type stop func(context.Context, slipway.DeploymentID, slipway.InstanceID, time.Duration) error

func (c checked) stop(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID, grace time.Duration, how stop) error {
	if c.w.failing("stop") {
		return fmt.Errorf("instance %s can not be stopped", i)
	}
	if c.w.failing("stop in time") {
		if err := sleep(ctx, 90*time.Second); err != nil {
			return err
		}
	}
	c.w.mayStop(d, i)
	c.mustBeLeft(ctx, d, i)
	if isRedis(d, i) {
		c.w.mayStopRedis(d)
	}
	return how(ctx, d, i, grace)
}

// mustBeLeft: new requests do not go to who is being stopped.
func (c checked) mustBeLeft(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID) {
	o, err := c.drivers.Inspect(ctx, d, i)
	if r, routed := c.routes.of(d); err == nil && routed && o.Address != "" && slices.Contains(r.Addresses, o.Address) {
		c.w.fault("instance %s is stopped while requests go to it: %+v", i, r)
	}
}

func (c checked) Delete(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID) error {
	if c.w.failing("delete") {
		return fmt.Errorf("the folder of %s is busy", i)
	}
	if isRedis(d, i) {
		c.w.mayDeleteRedis(d)
	}
	return c.drivers.Delete(ctx, d, i)
}

func (c checked) Purge(ctx context.Context, d slipway.DeploymentID) error {
	if c.w.failing("purge") {
		return fmt.Errorf("the state of %s is busy", d)
	}
	return c.drivers.Purge(ctx, d)
}
