package docker_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/docker"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/engine"
)

const standin = "github.com/slipwayhq/slipway/driver/drivertest/standin"

func TestSuite(t *testing.T) {
	e := dockertest.Shared(t)
	image := toldStandin(t, e)
	broken := e.Import(t, "broken", map[string][]byte{"program": nil}, `ENTRYPOINT ["/nonexistent/agent"]`)
	drivertest.Run(t, func(t *testing.T) drivertest.World {
		w := world(t, e)
		w.Image, w.BrokenImage, w.Flood = image, broken, flood(t)
		return w
	})
}

// toldStandin is the image of a stand-in that can be asked how it stands, as those
// are that are built.
func toldStandin(t *testing.T, e *dockertest.Engine) string {
	return e.Import(t, "standin-told", map[string][]byte{"program": dockertest.Program(t, standin)},
		`ENTRYPOINT ["/program"]`, `LABEL slipway.control='["/program","-ask"]'`, "ENV SLIPWAY_CONTROL=/control.sock")
}

// flood is more than may be left of it several times over; the engine and the
// driver take their time for each line. `make test-flood` has more.
func flood(t *testing.T) int64 {
	mb := 160
	if text := os.Getenv("SLIPWAY_FLOOD_MB"); text != "" {
		var err error
		if mb, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	return int64(mb) << 20
}

// world is an installation of its own on an engine.
func world(t *testing.T, e *dockertest.Engine) drivertest.World {
	root, owner := t.TempDir(), slipway.NewID[string](time.Now())
	t.Cleanup(func() { removeAll(t, e, owner) })
	return drivertest.World{
		Open: func(t testing.TB) (slipway.Driver, func()) {
			d := open(t, e.Host(), root, owner, t.Output())
			return d, func() { d.Close() }
		},
		Agent:     func(flags ...string) []string { return flags },
		Processes: true,
		Limits:    true,
		StandsBy:  true,
		Folder: func(id slipway.DeploymentID, i slipway.InstanceID) string {
			return filepath.Join(root, string(id), string(i))
		},
		Unsent: func(t testing.TB, w slipway.Workload) {
			c, err := e.Client(t).ContainerInspect(t.Context(), "slipway-"+string(w.Instance), client.ContainerInspectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			note := fmt.Sprintf(`{"container": %q, "at": %q, "unsent": true}`, c.Container.ID, time.Now().Add(-time.Hour).Format(time.RFC3339))
			if err := os.WriteFile(filepath.Join(root, string(w.Deployment), string(w.Instance), "term.json"), []byte(note), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		EngineLog: func(t testing.TB, w slipway.Workload) string {
			c, err := e.Client(t).ContainerInspect(t.Context(), "slipway-"+string(w.Instance), client.ContainerInspectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return filepath.Dir(c.Container.LogPath)
		},
		PID:       func(t testing.TB, w slipway.Workload, pid string) string { return outside(t, e, w, pid) },
		State:     func(id slipway.DeploymentID) string { return e.Volume(volumeOf(root, id)) },
		Strangers: strangers(e, root, owner),
	}
}

// volumeOf names the volume that holds the state of a deployment.
func volumeOf(root string, id slipway.DeploymentID) string {
	name, err := os.ReadFile(filepath.Join(root, string(id), "state", "volume"))
	if err != nil {
		return "slipway-" + string(id)
	}
	return string(name)
}

func open(t testing.TB, host, root, owner string, log io.Writer) *docker.Driver {
	t.Helper()
	e, err := engine.Open(host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	d, err := docker.Open(docker.Config{Engine: e, Owner: owner, Root: root, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// removeAll removes what an installation has in an engine.
func removeAll(t *testing.T, e *dockertest.Engine, owner string) {
	c, ctx, ours := e.Client(t), context.Background(), make(client.Filters).Add("label", "slipway.owner="+owner)
	list, err := c.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		t.Error(err)
	}
	for _, found := range list.Items {
		if _, err := c.ContainerRemove(ctx, found.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
			t.Error(err)
		}
	}
	networks, err := c.NetworkList(ctx, client.NetworkListOptions{Filters: ours})
	if err != nil {
		t.Error(err)
	}
	for _, found := range networks.Items {
		if _, err := c.NetworkRemove(ctx, found.ID, client.NetworkRemoveOptions{}); err != nil {
			t.Error(err)
		}
	}
	volumes, err := c.VolumeList(ctx, client.VolumeListOptions{Filters: ours})
	if err != nil {
		t.Error(err)
	}
	for _, found := range volumes.Items {
		if _, err := c.VolumeRemove(ctx, found.Name, client.VolumeRemoveOptions{}); err != nil {
			t.Error(err)
		}
	}
}

// outside finds a process of a container by its number inside.
func outside(t testing.TB, e *dockertest.Engine, w slipway.Workload, pid string) string {
	t.Helper()
	c, err := e.Client(t).ContainerInspect(t.Context(), "slipway-"+string(w.Instance), client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range all {
		status, _ := os.ReadFile(process + "/status")
		groups, _ := os.ReadFile(process + "/cgroup")
		_, numbers, _ := strings.Cut(string(status), "\nNSpid:")
		numbers, _, _ = strings.Cut(numbers, "\n")
		if f := strings.Fields(numbers); len(f) == 2 && f[1] == pid && strings.Contains(string(groups), c.Container.ID) {
			return f[0]
		}
	}
	t.Fatal(fmt.Errorf("process %s of container %s is not on this machine", pid, c.Container.ID))
	return ""
}
