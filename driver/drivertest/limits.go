package drivertest

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// memoryLimit of a stand-in, in MiB: enough for it, and soon used up.
const memoryLimit = 128

// outOfMemory has one agent eat what it may have; its neighbour stays well.
func outOfMemory(p *place) {
	neighbour := p.serve(p.workload())
	w := p.workload()
	w.Limits.MemoryMB = memoryLimit
	o := p.serve(w)
	p.post(o, "/print?line=hungry")
	p.post(o, "/eat")
	e := p.exited(w).Exit
	if !e.OutOfMemory || e.Code == 0 || !strings.Contains(e.Reason, "memory") || !strings.Contains(e.Reason, strconv.Itoa(memoryLimit)) {
		p.Errorf("exit = %+v", e)
	}
	p.get(neighbour, "/ok")
	w.Attempt = 2
	p.serve(w) // no memory of it is left
}

// killedIsNotOutOfMemory tells a kill from an end by memory.
func killedIsNotOutOfMemory(p *place) {
	w := p.workload("-deaf")
	w.Limits.MemoryMB = memoryLimit
	p.serve(w)
	p.stop(w, 0)
	if e := p.exited(w).Exit; e.OutOfMemory {
		p.Errorf("exit = %+v", e)
	}
}

// tooManyProcesses has an agent fork more than it may.
func tooManyProcesses(p *place) {
	neighbour := p.serve(p.workload())
	w := p.workload("-spare-threads=16")
	w.Limits.Processes = 64 // threads count
	o := p.serve(w)
	if made, err := strconv.Atoi(p.post(o, "/breed?n=64")); err != nil || made == 0 || made >= 48 {
		p.Errorf("it made %d processes: %v", made, err)
	}
	p.get(o, "/ok")
	p.get(neighbour, "/ok")
	p.stop(w, time.Minute)
}

// usage grows with what an agent uses, its children included, and belongs to
// an attempt.
func usage(p *place) {
	w := p.workload()
	o := p.serve(w)
	before := p.usage(w)
	if before.Memory <= 0 {
		p.Errorf("usage = %+v", before)
	}
	p.post(o, "/eat?mb=64")
	p.post(o, "/spin?for=300ms")
	if after := p.usage(w); after.Memory < before.Memory+60<<20 || after.CPU < before.CPU+100*time.Millisecond {
		p.Errorf("usage = %+v, before %+v", after, before)
	}
	p.reopen()
	if after := p.usage(w); after.Memory < before.Memory+60<<20 {
		p.Errorf("usage after a restart = %+v, before %+v", after, before)
	}
	p.stop(w, time.Minute)
	if u, err := p.driver.Usage(p.Context(), w.Deployment, w.Instance); err == nil {
		p.Errorf("usage of one that has ended = %+v", u)
	}
}

func (p *place) usage(w slipway.Workload) slipway.Usage {
	p.Helper()
	u, err := p.driver.Usage(p.Context(), w.Deployment, w.Instance)
	if err != nil {
		p.Fatalf("Usage: %v", err)
	}
	return u
}

// crashLoop starts attempt after attempt, each of which ends at once.
func crashLoop(p *place) {
	w := p.workload("-exit=9", "-print=no luck")
	for w.Attempt = 1; w.Attempt <= 8; w.Attempt++ {
		p.apply(w)
		if e := p.exited(w).Exit; e.Code != 9 || e.Reason != "no luck" {
			p.Fatalf("attempt %d: exit = %+v", w.Attempt, e)
		}
	}
	w.Args = p.world.Agent()
	p.serve(w)
}

// hang has an agent that answers nobody any more: it is stopped all the same.
func hang(p *place) {
	w := p.workload("-mute", "-deaf", "-print=hangs")
	p.apply(w)
	testsignal.Until(p, "its output", func() bool { return p.output(w, 0, 100) != "" })
	p.stop(w, 50*time.Millisecond)
	if e := p.exited(w).Exit; e.Signal != "SIGKILL" {
		p.Errorf("exit = %+v", e)
	}
}

// slowStart listens late: until then it runs, and does not listen.
func slowStart(p *place) {
	w := p.workload("-listen-after=300ms", "-print=begun")
	o := p.apply(w)
	testsignal.Until(p, "its output", func() bool { return p.output(w, 0, 100) != "" })
	if p.inspect(w).Phase != slipway.PhaseRunning {
		p.Errorf("it does not run: %+v", p.inspect(w))
	}
	testsignal.Until(p, "the first answer", func() bool {
		status, _ := p.request(http.MethodGet, o, "/ok")
		return status == http.StatusOK
	})
	if !p.listens(w) {
		p.Error("it serves, but does not listen")
	}
}

// wrongPort listens elsewhere than it was told: that is not its port.
func wrongPort(p *place) {
	w := p.workload("-port=" + strconv.Itoa(FreePort(p.T)))
	o := p.apply(w)
	testsignal.Until(p, "its output", func() bool { return strings.Contains(p.output(w, 0, 1000), "listening") })
	if status, _ := p.request(http.MethodGet, o, "/ok"); status != 0 || p.listens(w) {
		p.Errorf("status %d, listens %v", status, p.listens(w))
	}
}

// daemons leaves processes behind in every way that a process can.
func daemons(p *place) {
	w := p.workload()
	o := p.serve(w)
	var all []string
	for _, path := range []string{"/fork", "/fork?own=true", "/fork?bare=true", "/fork?own=true&bare=true"} {
		all = append(all, p.fork(w, o, path))
	}
	p.stop(w, time.Minute)
	for _, pid := range all {
		p.gone(pid)
	}
}

// fillsDisk writes a lot into its folder; Delete gives all of it back.
func fillsDisk(p *place) {
	neighbour := p.serve(p.workload())
	w := p.workload()
	o := p.serve(w)
	if status, text := p.request(http.MethodPost, o, fmt.Sprintf("/fill?bytes=%d", 256<<20)); status != http.StatusOK {
		p.Errorf("%d %s", status, text)
	}
	p.get(neighbour, "/ok")
	p.stop(w, time.Minute)
	p.try(p.delete(w))
}

// diskLimit of a stand-in, in MiB.
const diskLimit = 16

// outOfDisk has one agent write more than it may keep; its neighbour stays well,
// and it has room again at its next start.
func outOfDisk(p *place) {
	neighbour := p.serve(p.workload())
	w := p.workload()
	w.Limits.DiskMB = diskLimit
	o := p.serve(w)
	p.post(o, "/print?line=full")
	p.post(o, fmt.Sprintf("/fill?bytes=%d", 2*diskLimit<<20))
	e := p.exited(w).Exit
	if !e.OutOfDisk || e.OutOfMemory || e.Code == 0 || !strings.Contains(e.Reason, strconv.Itoa(diskLimit)+" MiB") || !strings.Contains(e.Reason, "full") {
		p.Errorf("exit = %+v", e)
	}
	p.get(neighbour, "/ok")
	w.Attempt = 2
	o = p.serve(w)
	p.post(o, "/exit?code=3")
	if e := p.exited(w).Exit; e.OutOfDisk {
		p.Errorf("its next exit = %+v", e)
	}
}

// stateOutOfDisk has an agent begin with more state than it may keep. Nothing of
// it is removed.
func stateOutOfDisk(p *place) {
	d, at := p.stateOf(nil)
	p.try(os.WriteFile(at("large"), make([]byte, 2*diskLimit<<20), 0o600))
	w := p.workload()
	w.Deployment, w.Stateful, w.Limits.DiskMB = d, true, diskLimit
	p.apply(w)
	if e := p.exited(w).Exit; !e.OutOfDisk {
		p.Errorf("exit = %+v", e)
	}
	if info, err := os.Stat(at("large")); err != nil || info.Size() != 2*diskLimit<<20 {
		p.Errorf("its state: %v, %v", info, err)
	}
}
