package docker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// says waits until something was logged.
func (f *fixture) says(text string) {
	f.Helper()
	testsignal.Until(f, text+" in the log", func() bool { return strings.Contains(f.log.String(), text) })
}

// What the check of an image finds is said; whether the agent serves, its gate
// decides.
func TestHealthCheck(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.w.Image = build(t, f.client, "sick", "FROM standin\nHEALTHCHECK --interval=1s --retries=1 CMD [\"/program\", \"-exit=1\"]\n")
	f.serve()
	f.says("a container is unhealthy")
	if o := f.inspect(); o.Phase != slipway.PhaseRunning || f.ask(http.MethodGet, "/ok") != "ok" {
		t.Errorf("it is %+v", o)
	}
}

// A paused container runs, answers nobody, and can be stopped.
func TestPaused(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	_, err := f.client.ContainerPause(t.Context(), f.name(), client.ContainerPauseOptions{})
	f.try(err)
	f.says("a container was paused")
	if o := f.inspect(); o.Phase != slipway.PhaseRunning {
		t.Errorf("it is %+v", o)
	}
	f.try(f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, 10*time.Millisecond))
	f.exit() // some engines have it go on first, so that it may drain
}

// The next attempt takes the place of one that is paused.
func TestPausedAndReplaced(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	_, err := f.client.ContainerPause(t.Context(), f.name(), client.ContainerPauseOptions{})
	f.try(err)
	f.w.Attempt = 2
	f.serve()
}

// What somebody does by hand is noticed as if it had happened by itself.
func TestEndedByHand(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	exits := f.d.Exits(t.Context())
	f.serve()
	_, err := f.client.ContainerKill(t.Context(), f.name(), client.ContainerKillOptions{Signal: "SIGKILL"})
	f.try(err)
	testsignal.Receive(t, "the exit", exits)
	if exit := f.exit(); exit.Signal != "SIGKILL" || exit.OutOfMemory {
		t.Errorf("exit = %+v", exit)
	}
	f.w.Attempt = 2
	f.serve()
	_, err = f.client.ContainerRemove(t.Context(), f.name(), client.ContainerRemoveOptions{Force: true})
	f.try(err)
	testsignal.Receive(t, "the removal", exits)
	testsignal.Until(t, "its absence", func() bool { return f.inspect().Phase == slipway.PhaseAbsent })
	f.serve() // the same attempt
}

// An engine that takes its containers with it when it stops knows afterwards how
// they ended.
func TestEngineEndsAll(t *testing.T) {
	f := newFixture(t, dockertest.Start(t, "--live-restore"))
	f.serve()
	exits := f.d.Exits(t.Context())
	f.engine.Down()
	f.try(f.engine.Up())
	testsignal.Receive(t, "the exit", exits)
	if exit := f.exit(); exit.Code != 0 || !strings.HasSuffix(f.output(), "SIGTERM\ndrained\n") {
		t.Errorf("exit = %+v, output %q", exit, f.output())
	}
	f.w.Attempt = 2
	f.serve()
}
