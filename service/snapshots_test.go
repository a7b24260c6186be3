package service_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
)

// purging is a deployment that is being removed for good, of which a snapshot was
// kept where it says.
func (p *plane) purging(name, snapshot string) slipway.DeploymentID {
	p.t.Helper()
	d, l := p.served(name)
	must(p.t, p.Delete(p.t.Context(), p.who, d.ID, slipway.DeleteOptions{Now: true}))
	p.stop(d.ID, l)
	if snapshot != "" {
		p.report(l, slipway.StateKept{Path: snapshot})
	}
	return d.ID
}

// What can not be restored is refused with what to do, and changes nothing.
func TestASnapshotIsRefused(t *testing.T) {
	p := newPlane(t, keeping)
	_, stranger, _ := p.principals()
	stranger.Workspace = slipway.NewID[slipway.WorkspaceID](p.clock())
	from, bare := p.purging("old", "/final/old.tar.gz"), p.purging("bare", "")
	aside, _ := p.kept("aside", slipway.DeleteOptions{})
	d, _ := p.served("app")
	early := p.create("early")
	busy, _ := p.served("busy")
	p.push(busy.ID)
	for name, c := range map[string]struct {
		who      slipway.Principal
		id, from slipway.DeploymentID
		replace  bool
		code     slipway.Code
		says     string
	}{
		"of nothing":                 {p.who, d.ID, slipway.NewID[slipway.DeploymentID](p.clock()), true, slipway.CodeNotFound, "Deletion of deployment ID"},
		"of what is there":           {p.who, d.ID, d.ID, true, slipway.CodeNotFound, "Deletion of deployment ID"},
		"of what was not kept":       {p.who, d.ID, bare, true, slipway.CodeConflict, "No final snapshot was kept"},
		"of what can be brought":     {p.who, d.ID, aside.ID, true, slipway.CodeConflict, "is kept aside"},
		"into what does not run":     {p.who, early.ID, from, true, slipway.CodeConflict, "runs nothing yet"},
		"into what is being changed": {p.who, busy.ID, from, true, slipway.CodeConflict, "is being deployed"},
		"into what has data":         {p.who, d.ID, from, false, slipway.CodeConflict, "has data of its own"},
		"into nothing":               {p.who, slipway.NewID[slipway.DeploymentID](p.clock()), from, true, slipway.CodeNotFound, "not found"},
		"of a stranger's":            {stranger, d.ID, from, true, slipway.CodeNotFound, "not found"},
	} {
		_, err := p.RestoreSnapshot(t.Context(), c.who, c.id, c.from, c.replace)
		if slipway.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v, err := p.Get(t.Context(), p.who, d.ID); err != nil || v.Running.Restore != nil {
		t.Errorf("it restores %+v, %v", v.Running.Restore, err)
	}
}

// A restore is written down once, shown while it goes on, and over at its end: what
// a data plane says late changes nothing.
func TestASnapshotIsRestored(t *testing.T) {
	p := newPlane(t)
	from := p.purging("old", "/final/old.tar.gz")
	d, l := p.served("app")
	audited := len(p.audited())
	again := p.keyed("once", "hash")
	for range 2 {
		_, err := p.RestoreSnapshot(again, p.who, d.ID, from, true)
		must(t, err)
	}
	if got := p.audited(); len(got) != audited+1 || got[0].Action != slipway.AuditSnapshotRestored || got[0].Target != string(d.ID) {
		t.Errorf("%d events, the last %+v", len(got)-audited, got[0])
	}
	a := p.report(l)
	if r := a.Deployment.Running.Restore; !r.Pending() || r.From != from || r.Path != "/final/old.tar.gz" || r.Phase != slipway.RestoreChecking {
		t.Fatalf("the data plane is told %+v", r)
	}
	if _, err := p.RestoreSnapshot(t.Context(), p.who, d.ID, from, true); slipway.CodeOf(err) != slipway.CodeConflict {
		t.Errorf("another meanwhile: %v", err)
	}
	a = p.report(l, slipway.RestoreMoved{Phase: slipway.RestoreReading, Reason: "The server is down."})
	since := a.Deployment.Running.Restore.Since
	p.pass(1)
	a = p.report(l, slipway.RestoreMoved{Phase: slipway.RestoreReading})
	if r := a.Deployment.Running.Restore; !r.Stops() || r.Reason != "" || r.Since != since {
		t.Errorf("meanwhile %+v", r)
	}
	p.report(l, slipway.RestoreMoved{Phase: slipway.RestoreDone})
	p.report(l, slipway.RestoreMoved{Phase: slipway.RestoreReplacing})
	v, err := p.Get(t.Context(), p.who, d.ID)
	must(t, err)
	if r := v.Running.Restore; r.Pending() || r.Phase != slipway.RestoreDone {
		t.Errorf("at the end %+v", r)
	}
	if _, err := p.RestoreSnapshot(t.Context(), p.who, d.ID, from, true); err != nil {
		t.Errorf("another afterwards: %v", err)
	}
}

// A restore is cancelled while it has replaced nothing, and only then: what a data
// plane says late changes nothing.
func TestASnapshotIsCancelled(t *testing.T) {
	p := newPlane(t)
	_, stranger, _ := p.principals()
	stranger.Workspace = slipway.NewID[slipway.WorkspaceID](p.clock())
	from := p.purging("old", "/final/old.tar.gz")
	d, l := p.served("app")
	cancel := func(who slipway.Principal, want slipway.Code, says string) {
		t.Helper()
		if _, err := p.CancelSnapshotRestore(t.Context(), who, d.ID); slipway.CodeOf(err) != want || !strings.Contains(fmt.Sprint(err), says) {
			t.Errorf("cancelled: %v, want %q", err, says)
		}
	}
	restore := func() {
		t.Helper()
		_, err := p.RestoreSnapshot(t.Context(), p.who, d.ID, from, true)
		must(t, err)
	}
	cancel(p.who, slipway.CodeConflict, "No snapshot is being restored")
	for _, phase := range []slipway.RestorePhase{slipway.RestoreChecking, slipway.RestoreReading} {
		restore()
		p.report(l, slipway.RestoreMoved{Phase: phase, Reason: "The server is down."})
		cancel(stranger, slipway.CodeNotFound, "not found")
		audited := len(p.audited())
		v, err := p.CancelSnapshotRestore(t.Context(), p.who, d.ID)
		if r := v.Running.Restore; err != nil || r.Phase != slipway.RestoreFailed || r.Reason != "It was cancelled." {
			t.Errorf("while %s: %+v, %v", phase, r, err)
		}
		if got := p.audited(); len(got) != audited+1 || got[0].Action != slipway.AuditSnapshotCancelled {
			t.Errorf("%d events, the last %+v", len(got)-audited, got[0])
		}
		if a := p.report(l, slipway.RestoreMoved{Phase: slipway.RestoreReplacing}); a.Deployment.Running.Restore.Pending() {
			t.Errorf("while %s: it goes on", phase)
		}
		cancel(p.who, slipway.CodeConflict, "No snapshot is being restored")
	}
	restore()
	p.report(l, slipway.RestoreMoved{Phase: slipway.RestoreReplacing})
	cancel(p.who, slipway.CodeConflict, "taking the place of the data already")
}
