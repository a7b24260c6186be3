// Package drivertest is the suite that every driver passes. It promises nothing
// but what slipway.Driver does; what a driver can not show is left out by the
// fields of [World].
package drivertest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/address"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// World is where a driver works: a data folder, an engine, a cluster.
type World struct {
	// Open opens a driver on this world and returns how to close it without
	// touching its agents. What one driver started, the next one finds.
	Open func(t testing.TB) (slipway.Driver, func())
	// Agent returns the argv of a stand-in with these flags; of an image, what
	// its command is given.
	Agent func(flags ...string) []string
	// Image is the image of the stand-in, and BrokenImage one whose command,
	// /nonexistent/agent, it lacks; "" where no images are run.
	Image, BrokenImage string
	// Processes says that agents are the real stand-in, with variables, a pid
	// and children.
	Processes bool
	// Flood is how many bytes a runaway prints, which takes its time; 0 for none.
	Flood int64
	// EngineLog returns the folder where an engine keeps what an instance printed
	// until it is copied; nil if nowhere. Of what is printed faster than it is
	// copied the engine drops some, and nobody can tell how much.
	EngineLog func(t testing.TB, w slipway.Workload) string
	// Limits says that agents are held by limits and measured.
	Limits bool
	// StandsBy says that agents can load and wait to be released.
	StandsBy bool
	// Sockets says that agents listen on sockets.
	Sockets bool
	// PID returns the number on this machine of a process that an agent knows
	// by another; nil if it is the same.
	PID func(t testing.TB, w slipway.Workload, pid string) string
	// Folder returns where an instance lies on this machine; nil if nowhere.
	Folder func(slipway.DeploymentID, slipway.InstanceID) string
	// State returns where a deployment's state lies on this machine; nil if
	// nowhere.
	State func(slipway.DeploymentID) string
	// Unsent leaves an instance as a server does that died while it asked it to end,
	// an hour ago: it is written down that it asks, and not that it has; nil where
	// nothing is written down.
	Unsent func(t testing.TB, w slipway.Workload)
	// Strangers makes things that are none of this installation's and look like
	// those of a workload, which is not there yet, and returns how to see that
	// they are as they were; nil where there can be none.
	Strangers func(t *testing.T, like slipway.Workload) (intact func())
}

// Run runs the suite; each case gets a world of its own.
func Run(t *testing.T, world func(t *testing.T) World) {
	for _, c := range slices.Concat(cases, handovers) {
		t.Run(c.name, func(t *testing.T) {
			w := world(t)
			if !w.shows(c) {
				t.Skip("this driver can not show it")
			}
			p := &place{T: t, world: w}
			p.open()
			t.Cleanup(p.clear)
			c.run(p)
		})
	}
}

type testCase struct {
	name                                    string
	processes, folder, state, limits, flood bool // what it needs of its world
	standsBy, sockets, unsent               bool
	programs                                bool // not images
	run                                     func(*place)
}

// shows says whether a world has what a case needs.
func (w World) shows(c testCase) bool {
	for needs, has := range map[*bool]bool{
		&c.processes: w.Processes, &c.folder: w.Folder != nil, &c.state: w.State != nil,
		&c.limits: w.Limits, &c.flood: w.Flood > 0, &c.standsBy: w.StandsBy, &c.sockets: w.Sockets, &c.unsent: w.Unsent != nil,
		&c.programs: w.Image == "",
	} {
		if *needs && !has {
			return false
		}
	}
	return true
}

var cases = []testCase{
	{name: "starts and serves", run: startsAndServes},
	{name: "Apply is idempotent", run: applyIsIdempotent},
	{name: "Apply is idempotent when called at once", run: applyAtOnce},
	{name: "two instances at once", run: twoInstances},
	{name: "a mute agent does not listen", run: muteAgent},
	{name: "a start that fails", run: startFails},
	{name: "a port in use", run: portInUse},
	{name: "a socket that was left", sockets: true, run: socketLeft},
	{name: "a socket of a stranger", sockets: true, run: socketOfStranger},
	{name: "bad ids", run: badIDs},
	{name: "a crash", run: crash},
	{name: "a crash at once", run: crashAtOnce},
	{name: "another attempt", run: anotherAttempt},
	{name: "exits are kept for who is slow", run: slowListener},
	{name: "the channel of exits ends", run: exitsEnd},
	{name: "adoption", run: adoption},
	{name: "an exit that nobody saw", run: unseenExit},
	{name: "Stop drains", run: stopDrains},
	{name: "Stop kills the deaf", run: stopKills},
	{name: "Stop takes the children", processes: true, run: stopTakesChildren},
	{name: "a crash takes the children", processes: true, run: crashTakesChildren},
	{name: "Stop is idempotent", run: stopIsIdempotent},
	{name: "Stop ends with its context", run: stopEndsWithContext},
	{name: "SIGTERM is sent once", processes: true, run: termOnce},
	{name: "a stop whose server died before its SIGTERM", unsent: true, run: unsentStop},
	{name: "Delete", run: deletes},
	{name: "Delete leaves no folder", folder: true, run: deleteLeavesNothing},
	{name: "Purge", state: true, run: purges},
	{name: "what remains is told", run: remainsAreTold},
	{name: "Purge takes instances that ended", run: purgeTakesAll},
	{name: "what remains of bad ids", run: remainsOfBadIDs},
	{name: "state is exported", state: true, run: exports},
	{name: "no state to export", run: exportsNothing},
	{name: "an exported state is imported", state: true, run: imports},
	{name: "state outlives instances", processes: true, state: true, run: stateOutlives},
	{name: "what is kept outlives attempts", programs: true, processes: true, state: true, folder: true, run: keeps},
	{name: "neighbours and strangers are left alone", run: leftAlone},
	{name: "List is complete", run: listIsComplete},
	{name: "output has stable offsets", run: outputIsStable},
	{name: "variables do not leak in", processes: true, run: noLeakIn},
	{name: "secrets do not leak out", folder: true, processes: true, run: noLeakOut},
	{name: "secrets are masked", run: secretsAreMasked},
	{name: "a crash loop", run: crashLoop},
	{name: "a hang", run: hang},
	{name: "a slow start", processes: true, run: slowStart},
	{name: "a wrong port", processes: true, run: wrongPort},
	{name: "out of memory", limits: true, run: outOfMemory},
	{name: "a kill is not out of memory", limits: true, run: killedIsNotOutOfMemory},
	{name: "too many processes", limits: true, run: tooManyProcesses},
	{name: "usage", limits: true, run: usage},
	{name: "daemons", limits: true, run: daemons},
	{name: "a flood of output", folder: true, processes: true, flood: true, run: flood},
	{name: "output is trimmed", folder: true, processes: true, run: trims},
	{name: "a full folder", processes: true, run: fillsDisk},
	{name: "out of disk", processes: true, run: outOfDisk},
	{name: "state that is out of disk", processes: true, state: true, run: stateOutOfDisk},
}

// BuildStandin builds the stand-in agent into a folder and returns its path.
func BuildStandin(folder string) (string, error) {
	path := filepath.Join(folder, "standin")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "github.com/slipwayhq/slipway/driver/drivertest/standin")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the stand-in: %w\n%s", err, text)
	}
	return path, nil
}

// Ports of tests: outside the ephemeral range and of what servers give out, in
// blocks, so that test processes which run side by side do not meet.
const (
	firstPort    = 10000
	portsInBlock = 500
	portBlocks   = 20
)

var (
	portBlock = sync.OnceValue(takePortBlock)
	lastPort  atomic.Int64
)

// takePortBlock holds a block, by a lock, as long as this process lives.
func takePortBlock() int {
	for block := range portBlocks {
		f, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("slipway-test-ports-%d.lock", block)), os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			portLocks = append(portLocks, f)
			return firstPort + block*portsInBlock
		}
		f.Close()
	}
	return firstPort + rand.IntN(portBlocks)*portsInBlock
}

var portLocks []*os.File // never closed: the end of the process gives them back

// FreePort finds a port that nobody holds, and that no other test was given
// lately.
func FreePort(t testing.TB) int { return FreePorts(t, 1).First }

// FreePorts finds so many in a row.
func FreePorts(t testing.TB, count int) slipway.PortRange {
	t.Helper()
	for range portsInBlock {
		last := int(lastPort.Add(int64(count)) % portsInBlock)
		ports := slipway.PortRange{First: portBlock() + last - count + 1, Last: portBlock() + last}
		if ports.First >= portBlock() && areFree(ports) {
			return ports
		}
	}
	t.Fatalf("no %d free ports in a row", count)
	return slipway.PortRange{}
}

func areFree(ports slipway.PortRange) bool {
	for port := ports.First; port <= ports.Last; port++ {
		if !isFree(port) {
			return false
		}
	}
	return true
}

// isFree tries the port. No process is forked meanwhile: until it executes, it
// would hold a copy of the socket.
func isFree(port int) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	return err == nil && l.Close() == nil
}

// place is one case at work.
type place struct {
	*testing.T
	world  World
	driver slipway.Driver
	close  func()
}

func (p *place) open() { p.driver, p.close = p.world.Open(p.T) }

func (p *place) reopen() {
	p.close()
	p.open()
}

// clear ends and removes whatever a case left.
func (p *place) clear() {
	ctx := context.Background()
	list, err := p.driver.List(ctx)
	for _, o := range list {
		if err := p.driver.Stop(ctx, o.Deployment, o.Instance, 0); err != nil {
			p.Error(err)
		}
	}
	p.close()
	if err != nil {
		p.Error(err)
	}
}

func newID[T ~string]() T { return slipway.NewID[T](time.Now()) }

// workload is a first attempt of a new instance of a new deployment.
func (p *place) workload(flags ...string) slipway.Workload {
	return slipway.Workload{
		Instance:   newID[slipway.InstanceID](),
		Deployment: newID[slipway.DeploymentID](),
		Revision:   newID[slipway.RevisionID](),
		Attempt:    1,
		Image:      p.world.Image,
		Args:       p.world.Agent(flags...),
		Port:       FreePort(p.T),
		Socket:     p.world.Sockets,
	}
}

func (p *place) apply(w slipway.Workload) slipway.Observed {
	p.Helper()
	o, err := p.driver.Apply(p.Context(), w)
	if err != nil {
		p.Fatalf("Apply: %v", err)
	}
	return o
}

// serve applies and waits for the first answer.
func (p *place) serve(w slipway.Workload) slipway.Observed {
	p.Helper()
	o := p.apply(w)
	testsignal.Until(p, "the first answer", func() bool {
		status, _ := p.request(http.MethodGet, o, "/ok")
		return status == http.StatusOK
	})
	return o
}

func (p *place) inspect(w slipway.Workload) slipway.Observed {
	p.Helper()
	o, err := p.driver.Inspect(p.Context(), w.Deployment, w.Instance)
	if err != nil {
		p.Fatalf("Inspect: %v", err)
	}
	return o
}

func (p *place) stop(w slipway.Workload, grace time.Duration) {
	p.Helper()
	if err := p.driver.Stop(p.Context(), w.Deployment, w.Instance, grace); err != nil {
		p.Fatalf("Stop: %v", err)
	}
}

func (p *place) listens(w slipway.Workload) bool {
	p.Helper()
	listens, err := p.driver.Listens(p.Context(), w.Deployment, w.Instance)
	if err != nil {
		p.Fatalf("Listens: %v", err)
	}
	return listens
}

func (p *place) output(w slipway.Workload, offset int64, limit int) string {
	p.Helper()
	text, err := p.driver.Output(p.Context(), w.Deployment, w.Instance, offset, limit)
	if err != nil {
		p.Fatalf("Output: %v", err)
	}
	return string(text)
}

// exited waits until an attempt is seen to have ended.
func (p *place) exited(w slipway.Workload) slipway.Observed {
	p.Helper()
	var o slipway.Observed
	testsignal.Until(p, "the exit", func() bool {
		o = p.inspect(w)
		return o.Phase == slipway.PhaseExited
	})
	if o.Exit == nil || o.Exit.At.IsZero() || o.Attempt != w.Attempt {
		p.Fatalf("exited without saying how: %+v", o)
	}
	return o
}

var client = address.NewClient()

// request returns status 0 if nothing answered.
func (p *place) request(method string, o slipway.Observed, path string) (int, string) {
	r, err := address.NewRequest(p.Context(), method, o.Address, path, nil)
	if err != nil {
		p.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, strings.TrimSpace(string(body))
}

func (p *place) get(o slipway.Observed, path string) string {
	p.Helper()
	status, body := p.request(http.MethodGet, o, path)
	if status != http.StatusOK {
		p.Fatalf("GET %s: %d %s", path, status, body)
	}
	return body
}

// post asks for something that may end the agent before it answers.
func (p *place) post(o slipway.Observed, path string) string {
	_, body := p.request(http.MethodPost, o, path)
	return body
}
