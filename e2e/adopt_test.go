package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestManyAgentsAreAdopted kills a server that runs ten real agents, and some of
// these while nobody looks, and once more in the middle of the deletion of nine.
// driver/process does the same with 200 stand-ins.
func TestManyAgentsAreAdopted(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	all := s.deployMany("echo", 10)
	before := mainsOf(all)
	if bundles, _ := filepath.Glob(filepath.Join(s.data, "bundles", "*")); len(bundles) != 1 {
		t.Errorf("bundles: %v", bundles)
	}
	ended, kept := all[:3], all[3:]
	seen := make([]string, len(ended))
	for i, d := range ended {
		seen[i] = d.lastEvent()
	}

	s.kill()
	for i, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM} {
		must(t, syscall.Kill(before[ended[i].id], signal))
		eventually(t, "an agent ends", func() bool { return len(mains(ended[i].folder())) == 0 })
	}
	for id, pid := range mainsOf(kept) {
		if pid != before[id] {
			t.Errorf("without a server: %s runs as %d, was %d", id, pid, before[id])
		}
	}

	s.start()
	for _, d := range all {
		d.Client = s.Client
	}
	for _, d := range kept { // at once: the server is ready, so it has them
		if status, body, err := d.get("/ok"); err != nil || status != http.StatusOK {
			t.Errorf("%s, which was adopted: %d %s %v", d.id, status, body, err)
		}
	}
	for i, d := range ended {
		if said := d.healthAfter(seen[i], "restarting"); !strings.Contains(said, "ended unseen (1 in a row)") {
			t.Errorf("of %s, which ended meanwhile, is said: %q", d.id, said)
		}
		eventually(t, "it serves again", func() bool {
			status, _, err := d.get("/ok")
			return err == nil && status == http.StatusOK
		})
	}
	for _, d := range all {
		must(t, d.shortRun(t.Context(), true))
	}
	for id, pid := range mainsOf(all) {
		restarted := slices.ContainsFunc(ended, func(d *deployment) bool { return d.id == id })
		if (pid != before[id]) != restarted {
			t.Errorf("%s runs as %d, was %d", id, pid, before[id])
		}
	}

	stays, goes := all[9], []string{}
	for _, d := range all[:9] {
		goes = append(goes, d.id)
	}
	s.diesWhileDeleting(goes...)
	if pid := mainsOf(all[9:])[stays.id]; pid != before[stays.id] {
		t.Errorf("the neighbour of what was deleted runs as %d, was %d", pid, before[stays.id])
	}
}

// deployMany makes deployments of the echo app, which is built once.
func (s *server) deployMany(name string, n int) []*deployment {
	s.t.Helper()
	app := pack(s.t, echo, nil)
	all := make([]*deployment, n)
	for i := range all {
		all[i] = s.create(fmt.Sprintf("%s-%d", name, i))
	}
	all[0].deploy(app)
	for _, d := range all[1:] {
		d.push(app)
	}
	for _, d := range all[1:] {
		if r := d.await(s.newest(d.id)); r.Status != "DEPLOYED" {
			s.t.Fatalf("revision is %s: %s", r.Status, deref(r.StatusMessage))
		}
	}
	return all
}

// folder is where the deployment's instances run.
func (d *deployment) folder() string { return filepath.Join(d.data, "deployments", d.id) }

// mainsOf are the processes of deployments that have one each.
func mainsOf(all []*deployment) map[string]int {
	pids := map[string]int{}
	for _, d := range all {
		d.t.Helper()
		found := mains(d.folder())
		if len(found) != 1 {
			d.t.Fatalf("agents of %s: %v", d.id, found)
		}
		pids[d.id] = found[0]
	}
	return pids
}

// lastEvent is the id of what happened last to the deployment.
func (d *deployment) lastEvent() string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	for event, err := range d.Events(ctx, d.id) {
		must(d.t, err)
		return event.ID
	}
	d.t.Fatalf("no event of %s", d.id)
	return ""
}

// healthAfter waits for the first event after another that tells of a health,
// and returns its reason.
func (d *deployment) healthAfter(event, health string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	for e, err := range d.EventsAfter(ctx, d.id, event) {
		must(d.t, err)
		if e.Deployment != nil && e.Deployment.Health != nil && e.Deployment.Health.State == health {
			return deref(e.Deployment.Health.Reason)
		}
	}
	d.t.Fatalf("%s: no event says that it is %s", d.id, health)
	return ""
}
