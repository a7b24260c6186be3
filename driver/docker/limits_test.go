package docker_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

func TestLimits(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t), "-spare-threads=16")
	f.w.Limits = slipway.Limits{CPU: 64.5, MemoryMB: 64, Processes: 40} // more processors than there are
	f.serve()
	h := f.container().HostConfig
	if h.CPUQuota != 6_450_000 || h.CPUPeriod != 100_000 || h.Memory != 64<<20 || h.MemorySwap != h.Memory || *h.PidsLimit != 40 {
		t.Errorf("limits %+v", h.Resources)
	}
	refused := ""
	for range 40 {
		if said := f.ask(http.MethodPost, "/fork"); strings.Contains(said, "unavailable") {
			refused = said
		}
	}
	if refused == "" {
		t.Error("it has as many processes as it likes")
	}
	if f.ask(http.MethodGet, "/ok") != "ok" {
		t.Error("it does not serve any more")
	}
}

func TestUnlimited(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	if h := f.container().HostConfig; h.CPUQuota != 0 || h.Memory != 0 || *h.PidsLimit != 4096 {
		t.Errorf("limits %+v", h.Resources)
	}
}

func TestOutOfMemory(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.w.Limits.MemoryMB = 64
	f.serve()
	f.ask(http.MethodPost, "/eat")
	exit := f.exit()
	if !exit.OutOfMemory || exit.Signal != "SIGKILL" || !strings.HasPrefix(exit.Reason, "It ran out of memory: it may use 64 MB.\n") {
		t.Errorf("exit = %+v", exit)
	}

	// Started by hand again, its description says still that it ran out of memory.
	_, err := f.client.ContainerStart(t.Context(), f.name(), client.ContainerStartOptions{})
	f.try(err)
	f.answers()
	f.ask(http.MethodPost, "/exit?code=1")
	if exit := f.exit(); exit.OutOfMemory || strings.Contains(exit.Reason, "memory") {
		t.Errorf("started by hand: %+v", exit)
	}

	f.w.Attempt = 2
	f.serve()
	f.ask(http.MethodPost, "/exit?code=1")
	if exit := f.exit(); exit.OutOfMemory || strings.Contains(exit.Reason, "memory") {
		t.Errorf("the next attempt: %+v", exit)
	}
}

// exit waits for the end.
func (f *fixture) exit() slipway.Exit {
	f.Helper()
	testsignal.Until(f, "its end", func() bool { return f.inspect().Phase == slipway.PhaseExited })
	return *f.inspect().Exit
}

// answers waits for the first answer.
func (f *fixture) answers() {
	f.Helper()
	testsignal.Until(f, "an answer", func() bool { return f.ask(http.MethodGet, "/ok") == "ok" })
}

func TestUsage(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	usage := func() (slipway.Usage, error) { return f.d.Usage(t.Context(), f.w.Deployment, f.w.Instance) }
	if u, err := usage(); !errors.Is(err, slipway.ErrUntold) {
		t.Errorf("what is not there: %+v, %v", u, err)
	}
	f.serve()
	before, err := usage()
	f.try(err)
	if before.CPU <= 0 || before.Memory < 1<<20 || before.Memory > 1<<30 {
		t.Errorf("usage %+v", before)
	}
	for n := range 50 {
		f.print(fmt.Sprint(n))
	}
	if after, err := usage(); err != nil || after.CPU <= before.CPU {
		t.Errorf("usage %+v, before %+v: %v", after, before, err)
	}
	f.ask(http.MethodPost, "/exit?code=1")
	f.exit()
	if u, err := usage(); !errors.Is(err, slipway.ErrUntold) {
		t.Errorf("what has ended: %+v, %v", u, err)
	}
}
