package mixed_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/docker"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/driver/mixed"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/engine"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// Without an engine it is as good a driver of processes as the one alone.
func TestProcessesNeedNoEngine(t *testing.T) {
	standin, err := drivertest.BuildStandin(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, func(t *testing.T) drivertest.World {
		processes, containers := t.TempDir(), t.TempDir()
		return drivertest.World{
			Open: func(t testing.TB) (slipway.Driver, func()) {
				p, err := process.Open(processes)
				if err != nil {
					t.Fatal(err)
				}
				d := mixed.New(p, openContainers(t, containers, nil))
				return d, func() { d.Close() }
			},
			Agent:     func(flags ...string) []string { return append([]string{standin}, flags...) },
			Processes: true,
		}
	})
}

func openContainers(t testing.TB, root string, e *engine.Engine) *docker.Driver {
	t.Helper()
	d, err := docker.Open(docker.Config{Engine: e, Owner: "owner", Root: root, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// An engine that does not answer keeps nobody from what runs elsewhere.
func TestEngineDown(t *testing.T) {
	e, err := engine.Open("unix:///nonexistent/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	d := mixed.New(fake.Open(serving), openContainers(t, t.TempDir(), e))
	defer d.Close()
	w := workload(t, "")
	o, err := d.Apply(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Inspect(t.Context(), w.Deployment, w.Instance); err != nil || got != o {
		t.Errorf("Inspect = %+v, %v", got, err)
	}
	if list, err := d.List(t.Context()); err == nil || len(list) != 1 || list[0] != o {
		t.Errorf("List = %+v, %v: want what is known, and that it is not all", list, err)
	}
	for _, err := range []error{
		d.Stop(t.Context(), w.Deployment, w.Instance, 0), d.Delete(t.Context(), w.Deployment, w.Instance), d.Purge(t.Context(), w.Deployment),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Apply(t.Context(), workload(t, "app@sha256:0")); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("an image: %v", err)
	}
}

func workload(t *testing.T, image string) slipway.Workload {
	return slipway.Workload{
		Instance: slipway.NewID[slipway.InstanceID](time.Now()), Deployment: slipway.NewID[slipway.DeploymentID](time.Now()),
		Attempt: 1, Image: image, Args: []string{"/agent"}, Port: drivertest.FreePort(t),
	}
}

// Each workload goes to its driver, and is found there.
func TestEachToItsOwn(t *testing.T) {
	images, processes := fake.Open(serving), fake.Open(serving)
	d := mixed.New(processes, images)
	defer d.Close()
	exits := d.Exits(t.Context())
	for _, c := range []struct {
		image string
		in    slipway.Driver
	}{{"", processes}, {"app@sha256:0", images}} {
		w := workload(t, c.image)
		o, err := d.Apply(t.Context(), w)
		if err != nil || o.Phase != slipway.PhaseRunning {
			t.Fatalf("Apply = %+v, %v", o, err)
		}
		if there, err := c.in.Inspect(t.Context(), w.Deployment, w.Instance); err != nil || there != o {
			t.Errorf("in its own driver %+v, %v", there, err)
		}
		if got, err := d.Inspect(t.Context(), w.Deployment, w.Instance); err != nil || got != o {
			t.Errorf("Inspect = %+v, %v", got, err)
		}
		testsignal.Until(t, "it listens", func() bool {
			listens, err := d.Listens(t.Context(), w.Deployment, w.Instance)
			return err == nil && listens
		})
		if text, err := d.Output(t.Context(), w.Deployment, w.Instance, 0, 100); err != nil || !strings.Contains(string(text), "hello") {
			t.Errorf("Output = %q, %v", text, err)
		}
		if list, err := d.List(t.Context()); err != nil || len(list) != 1 || list[0] != o {
			t.Errorf("List = %+v, %v", list, err)
		}
		if err := d.Stop(t.Context(), w.Deployment, w.Instance, 0); err != nil {
			t.Error(err)
		}
		if id := testsignal.Receive(t, "its end", exits); id != w.Deployment {
			t.Errorf("the end of %s", id)
		}
		if err := d.Delete(t.Context(), w.Deployment, w.Instance); err != nil {
			t.Error(err)
		}
		if got, err := d.Inspect(t.Context(), w.Deployment, w.Instance); err != nil || got.Phase != slipway.PhaseAbsent {
			t.Errorf("deleted: %+v, %v", got, err)
		}
	}
}

func serving(slipway.Workload) fake.Behaviour {
	return fake.Behaviour{Handler: http.NotFoundHandler(), Output: func() []byte { return []byte("hello\n") }}
}

// A deployment may have state in both.
func TestExportOfBoth(t *testing.T) {
	for _, c := range []struct {
		images []string
		want   string
	}{{nil, ""}, {[]string{""}, "state/state=of "}, {[]string{"app"}, "containers/state/state=of app"}, {[]string{"", "app"}, "state/state=of  containers/state/state=of app"}} {
		d := mixed.New(fake.Open(writing), fake.Open(writing))
		defer d.Close()
		id := slipway.NewID[slipway.DeploymentID](time.Now())
		for _, image := range c.images {
			w := workload(t, image)
			w.Deployment, w.Stateful = id, true
			if _, err := d.Apply(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			if d.Export(t.Context(), id, io.Discard) == nil {
				t.Error("exported while it was open")
			}
			if err := d.Stop(t.Context(), id, w.Instance, 0); err != nil {
				t.Fatal(err)
			}
		}
		var archive bytes.Buffer
		err := d.Export(t.Context(), id, &archive)
		if nothing := errors.Is(err, slipway.ErrNoState); nothing != (c.want == "") || err != nil && !nothing {
			t.Errorf("of %q: %v", c.images, err)
			continue
		}
		var got []string
		for entries := tar.NewReader(&archive); err == nil; {
			var entry *tar.Header
			if entry, err = entries.Next(); err == nil {
				content, _ := io.ReadAll(entries)
				got = append(got, entry.Name+"="+string(content))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("of %q: %q", c.images, got)
		}
	}
}

func writing(w slipway.Workload) fake.Behaviour {
	return fake.Behaviour{Opens: func([]byte) []byte { return []byte("of " + w.Image) }}
}
