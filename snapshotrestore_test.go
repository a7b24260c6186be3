package slipway_test

import (
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// What was read in goes with a restore that is cancelled; a snapshot that is to be
// removed still was in the way of reading.
func TestRestoreCancelled(t *testing.T) {
	const older = "an older snapshot"
	for phase, c := range map[slipway.RestorePhase]struct {
		cancelled            bool
		outdated, afterOlder string
	}{
		slipway.RestoreChecking:  {cancelled: true, afterOlder: older},
		slipway.RestoreReading:   {cancelled: true, outdated: "from-one", afterOlder: older},
		slipway.RestoreReplacing: {afterOlder: older},
		slipway.RestoreDone:      {afterOlder: older},
		slipway.RestoreFailed:    {afterOlder: older},
	} {
		for before, want := range map[string]string{"": c.outdated, older: c.afterOlder} {
			was := slipway.Running{Outdated: before, Restore: &slipway.SnapshotRestore{From: "one", Phase: phase}}
			now, err := was.RestoreCancelled(time.Now())
			if (err == nil) != c.cancelled || now.Outdated != want {
				t.Errorf("%s, with %q to be removed: %q, %v", phase, before, now.Outdated, err)
			}
			if ended := now.Restore.Phase == slipway.RestoreFailed; c.cancelled && !ended {
				t.Errorf("%s goes on as %s", phase, now.Restore.Phase)
			}
		}
	}
	if _, err := (slipway.Running{}).RestoreCancelled(time.Now()); err == nil {
		t.Error("none is cancelled")
	}
}
