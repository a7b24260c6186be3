package daemon_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// stateful is a kind of agent that keeps state.
type stateful struct{ plain }

func (stateful) Agent() slipway.AgentKind {
	k := plain{}.Agent()
	k.Exclusive = true
	return k
}

// newStateful is a world where agents write state when they start.
func newStateful(t *testing.T, edit func(*daemon.Config)) *world {
	w := newWorldWith(t, func(c *daemon.Config) {
		c.Kinds = []func(string, string) kind.Kind{func(string, string) kind.Kind { return stateful{} }}
		edit(c)
	})
	return w
}

func (w *world) serving(name string) (id slipway.DeploymentID) {
	w.t.Helper()
	text, object := w.create(name)
	w.deploy(text, object)
	testsignal.Until(w.t, name+" serves", func() bool {
		d, err := w.client.Deployment(w.t.Context(), text)
		must(w.t, err)
		return d.ActiveRevisionID != nil
	})
	return slipway.DeploymentID(text)
}

func (w *world) remains(id slipway.DeploymentID) (whats string) {
	w.t.Helper()
	things, err := w.driver.Remains(w.t.Context(), id)
	must(w.t, err)
	for _, thing := range things {
		whats += thing.What + "\n"
	}
	return whats
}

// A state that can not be put elsewhere stays where it is, and that is said; it
// goes once it could be.
func TestFinalSnapshot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "final")
	w := newStateful(t, func(c *daemon.Config) { c.Final = dir })
	id := w.serving("app")
	must(t, os.Remove(dir))
	must(t, os.WriteFile(dir, nil, 0o600)) // it can not be written to
	must(t, w.client.DeleteDeployment(t.Context(), string(id), client.DeleteOptions{}))
	testsignal.Until(t, "that it is said", func() bool { return w.log.says("final snapshot in " + dir) })
	if left := w.remains(id); !strings.Contains(left, "state of "+string(id)) {
		t.Errorf("it was removed all the same: %q", left)
	}
	must(t, os.Remove(dir))
	must(t, os.Mkdir(dir, 0o700))
	testsignal.Until(t, "the end", func() bool { return w.remains(id) == "" })
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || !strings.HasPrefix(entries[0].Name(), "app-"+string(id)+"-") {
		t.Errorf("kept: %v, %v", entries, err)
	}
}

// What nobody knows goes, and the neighbour stays.
func TestLeftovers(t *testing.T) {
	w := newWorldWith(t, func(c *daemon.Config) {
		c.Leftovers.Every, c.Leftovers.Age = 200*time.Millisecond, time.Nanosecond
	})
	known := w.serving("app")
	unknown := slipway.NewID[slipway.DeploymentID](time.Now())
	load := slipway.Workload{Instance: slipway.NewID[slipway.InstanceID](time.Now()), Deployment: unknown, Attempt: 1}
	_, err := w.driver.Apply(t.Context(), load)
	must(t, err)
	testsignal.Until(t, "its end", func() bool { return w.remains(unknown) == "" })
	if w.remains(known) == "" {
		t.Error("the neighbour is gone")
	}
	testsignal.Until(t, "that it is said", func() bool { return w.log.says("leftover removed") })
	if !w.log.says("left over that nobody knows") {
		t.Error("it was not said before")
	}
}
