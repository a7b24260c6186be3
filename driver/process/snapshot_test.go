package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/process"
)

// tables is how many files a state has here; each holds which version it is of.
const tables = 8

func writeState(root string, d slipway.DeploymentID, version string) error {
	state := filepath.Join(root, string(d), "state")
	err := os.MkdirAll(state, 0o700)
	for n := range tables {
		err = errors.Join(err, os.WriteFile(filepath.Join(state, fmt.Sprint(n)), []byte(version+"\n"), 0o600))
	}
	return err
}

// stateIs returns the versions that the files of a state are of.
func stateIs(t *testing.T, root string, d slipway.DeploymentID) string {
	t.Helper()
	var versions []string
	for n := range tables {
		text, err := os.ReadFile(filepath.Join(root, string(d), "state", fmt.Sprint(n)))
		if err != nil {
			text = []byte("lost\n")
		}
		if v := strings.TrimSpace(string(text)); len(versions) == 0 || versions[len(versions)-1] != v {
			versions = append(versions, v)
		}
	}
	return strings.Join(versions, " ")
}

// copyAndChange is the life of a state that is handed over in vain.
func copyAndChange(ctx context.Context, d *process.Driver, root string, id slipway.DeploymentID) error {
	return errors.Join(
		writeState(root, id, "old"),
		d.Snapshot(ctx, id, "before"),
		writeState(root, id, "new"),
		d.Restore(ctx, id, "before"),
		d.Discard(ctx, id, "before"),
	)
}

// Whenever a server dies while it copies a state: the snapshot is not there or
// whole, and so is the state.
func TestDeathWhileStateIsCopied(t *testing.T) {
	for step, want := range map[string]struct{ dead, done string }{
		process.StepSnapshotCopied: {"old", "old"},
		process.StepRestoreCopied:  {"new", "old"},
		process.StepRestored:       {"old", "old"},
		process.StepDiscarded:      {"old", "old"},
	} {
		t.Run(step, func(t *testing.T) {
			w := workload(t)
			s := server{Root: t.TempDir(), Workloads: []slipway.Workload{w}, Live: "copied", Step: step, Times: 1}
			if !s.died(t) {
				t.Fatal("it did not die")
			}
			if got := stateIs(t, s.Root, w.Deployment); got != want.dead {
				t.Errorf("the state is of %q, want %q", got, want.dead)
			}
			d := open(t, s.Root)
			defer d.Close()
			switch step {
			case process.StepSnapshotCopied:
				if d.Restore(t.Context(), w.Deployment, "before") == nil {
					t.Error("half a snapshot was restored")
				}
				if err := d.Snapshot(t.Context(), w.Deployment, "before"); err != nil {
					t.Error(err)
				}
			case process.StepDiscarded:
				if err := d.Discard(t.Context(), w.Deployment, "before"); err != nil {
					t.Error(err)
				}
			default:
				if err := d.Restore(t.Context(), w.Deployment, "before"); err != nil {
					t.Error(err)
				}
			}
			if got := stateIs(t, s.Root, w.Deployment); got != want.done {
				t.Errorf("in the end the state is of %q, want %q", got, want.done)
			}
			if left, _ := filepath.Glob(filepath.Join(s.Root, string(w.Deployment), "state.*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}
