package daemon_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	dockerclient "github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// A server is killed before and after commits of a hand-over between containers of
// an image that it has built: every third, another one first each time, or all of
// them if SLIPWAY_SIMULATE is thorough. Whoever comes next ends it: the state is
// whole, one container is left, and never had two the state open, which a stand-in
// does not start with.
func TestDeathAtEachStepOfAHandOver(t *testing.T) {
	if testing.Short() {
		t.Skip("servers are killed for a minute")
	}
	t.Parallel()
	e := dockertest.Start(t)
	m := newMortal(t, mortalBinary(t), "", e)
	m.importNode()
	id := m.deploySource("app")
	m.serves("app")
	const threads = "path=/var/lib/slipway/threads"
	if status, text := m.ask("app", http.MethodPost, "/write?"+threads); status != http.StatusOK {
		t.Fatalf("write: %d %s", status, text)
	}
	docker, deaths := e.Client(t), 0
	first, stride := 1+rand.IntN(3), 3
	if os.Getenv("SLIPWAY_SIMULATE") == "thorough" {
		first, stride = 1, 1
	}
	for n, outlived := first, false; !outlived; n += stride {
		outlived = true
		for _, when := range []string{"before", "after"} {
			if m.diesHandingOver(docker, id, n, when) {
				deaths++
				outlived = false
			}
			if _, text := m.ask("app", http.MethodGet, "/read?"+threads); text != "written" {
				t.Fatalf("after a death %s commit %d the state holds %q", when, n, text)
			}
		}
		if n > 100 {
			t.Fatal("it never ends")
		}
	}
	t.Logf("%d deaths", deaths)
	if births := m.births("neighbour"); births != m.neighbour {
		t.Errorf("the neighbour was started again, or is gone: %q, it was %q", births, m.neighbour)
	}
	must(t, m.delete(t.Context(), id, client.DeleteOptions{Now: true}))
	testsignal.Until(t, "nothing to be left", func() bool { return m.isDone(id) })
}

// diesHandingOver has a server die at a commit of a hand-over, and the next one end
// it. It says whether there were so many commits.
func (m *mortal) diesHandingOver(docker *dockerclient.Client, id string, n int, when string) (died bool) {
	m.t.Helper()
	latest := m.latest(id)
	m.kill()
	m.start(fmt.Sprint(n, " ", when, " commits"))
	must(m.t, m.child.Process.Signal(syscall.SIGUSR1))
	testsignal.Until(m.t, "its death to come", func() bool { _, err := os.Stat(filepath.Join(m.data, "armed")); return err == nil })
	_, _ = m.client.Redeploy(m.whileItLives(), id, latest.ID) // it may be dead before it answers
	testsignal.Until(m.t, fmt.Sprintf("death %s commit %d, or the end", when, n), func() bool {
		select {
		case <-m.ended:
			died = true
		default:
		}
		return died || m.handedOver(docker, id, latest.ID)
	})
	m.kill()
	must(m.t, os.Remove(filepath.Join(m.data, "armed")))
	m.start("")
	if m.latest(id).ID == latest.ID { // as a client does who got no answer
		_, err := m.client.Redeploy(m.t.Context(), id, latest.ID)
		must(m.t, err)
	}
	testsignal.Until(m.t, fmt.Sprintf("the end after a death %s commit %d", when, n), func() bool { return m.handedOver(docker, id, latest.ID) })
	return died
}

func (m *mortal) latest(id string) wire.Revision {
	m.t.Helper()
	all, err := m.client.Revisions(m.t.Context(), id)
	must(m.t, err)
	return all[0]
}

// handedOver says whether another revision than that serves, alone.
func (m *mortal) handedOver(docker *dockerclient.Client, id, before string) bool {
	all, err := m.client.Revisions(m.t.Context(), id)
	if err != nil || all[0].ID == before {
		return false
	}
	if all[0].Status == "DEPLOY_FAILED" {
		m.t.Fatalf("the hand-over failed: %+v", all[0].Failure)
	}
	of := make(dockerclient.Filters).Add("label", "slipway.deployment="+id)
	containers, err := docker.ContainerList(m.t.Context(), dockerclient.ContainerListOptions{All: true, Filters: of})
	must(m.t, err)
	return all[0].Status == "DEPLOYED" && len(containers.Items) == 1 && containers.Items[0].Labels["slipway.revision"] == all[0].ID
}

func (m *mortal) serves(name string) {
	m.t.Helper()
	testsignal.Until(m.t, name+" to serve", func() bool {
		status, _ := m.ask(name, http.MethodGet, "/ok")
		return status == http.StatusOK
	})
}

// importNode makes the base of the images that the server builds: with a shell, and
// in the places of Node and npm the stand-in and nothing.
func (m *mortal) importNode() {
	m.t.Helper()
	path, err := exec.LookPath("busybox")
	must(m.t, err)
	busybox, err := os.ReadFile(path)
	must(m.t, err)
	m.engine.Import(m.t, m.base, map[string][]byte{
		"bin/sh": busybox, "bin/mkdir": busybox, "bin/npm": []byte("#!/bin/sh\n"),
		"bin/node":    []byte("#!/bin/sh\ncase $1 in */ask.mjs) exec /bin/standin -ask ;; *) exec /bin/standin -linger -linger-for 200ms ;; esac\n"),
		"bin/standin": dockertest.Program(m.t, "github.com/slipwayhq/slipway/driver/drivertest/standin"),
	}, "ENV PATH=/bin")
}
