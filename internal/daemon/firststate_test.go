package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// spoiling is a kind of real programs that own state. While a file is there, they
// spoil their state and end.
type spoiling struct {
	stateful
	program, spoil string
}

func (s spoiling) Agent() slipway.AgentKind {
	k := s.stateful.Agent()
	k.StartFailure = 1
	return k
}

func (s spoiling) Launch(context.Context, kind.Bundle) (slipway.Launch, error) {
	script := fmt.Sprintf("if [ -e %s ]; then mkdir $SLIPWAY_STATE_DIR/deep && echo spoiled > $SLIPWAY_STATE_DIR/deep/threads; exit 1; fi; exec %s", s.spoil, s.program)
	return slipway.Launch{Args: []string{"/bin/sh", "-c", script}, Read: []string{s.program, s.spoil}}, nil
}

// TestFirstRevisionSpoilsItsState has a deployment's first revisions fail, which
// have written to the state: the first one that serves begins on an empty one.
func TestFirstRevisionSpoilsItsState(t *testing.T) {
	program, err := drivertest.BuildStandin(t.TempDir())
	must(t, err)
	s := spoiling{program: program, spoil: filepath.Join(t.TempDir(), "spoil")}
	must(t, os.WriteFile(s.spoil, nil, 0o644))
	w := newWorldWith(t, func(c *daemon.Config) {
		c.Kinds = []func(string, string) kind.Kind{func(string, string) kind.Kind { return s }}
		c.OpenDriver = func(root string) (slipway.Driver, error) { return process.Open(root) }
		c.Ports = drivertest.FreePorts(t, 8)
	})
	id, object := w.create("app")
	t.Cleanup(func() {
		must(t, w.client.DeleteDeployment(context.Background(), id, client.DeleteOptions{Now: true}))
		testsignal.Until(t, "its end", func() bool { return errors.Is(exists(w.config.Data, id), fs.ErrNotExist) })
	})
	for n := 1; n <= 2; n++ {
		w.deploy(id, object)
		testsignal.Until(t, "its failure", func() bool {
			all, err := w.client.Revisions(t.Context(), id)
			must(t, err)
			failed := 0
			for _, r := range all {
				if r.Status == "DEPLOY_FAILED" {
					failed++
				}
			}
			return failed == n
		})
	}
	must(t, os.Remove(s.spoil))
	w.deploy(id, object)
	testsignal.Until(t, "it serves", func() bool {
		d, err := w.client.Deployment(t.Context(), id)
		must(t, err)
		return d.ActiveRevisionID != nil
	})
	entries, err := os.ReadDir(filepath.Join(w.config.Data, "deployments", id, "state"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "opened" {
		t.Errorf("its state holds %v, %v", entries, err)
	}
}

// exists says whether there is something of a deployment.
func exists(data, id string) error {
	_, err := os.Lstat(filepath.Join(data, "deployments", id))
	return err
}
