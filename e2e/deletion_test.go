package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// says runs the command line, expects it to end well, and to say these things.
func (s *server) says(t *testing.T, parts []string, args ...string) string {
	t.Helper()
	out, err := s.slipway(args...)
	if err != nil {
		t.Fatalf("slipway %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("slipway %s does not say %q:\n%s", strings.Join(args, " "), part, out)
		}
	}
	return out
}

// lies are the paths in the data folder that bear an id.
func (s *server) lies(id string) (found []string) {
	must(s.t, filepath.WalkDir(s.data, func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.Contains(filepath.Base(path), id) {
			found = append(found, path)
		}
		return nil // what goes meanwhile is not there
	}))
	return found
}

func TestDeleteAndRestore(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--final-snapshots", filepath.Join(t.TempDir(), "final"))
	d := s.create("echo")
	r := d.deploy(pack(t, echo, nil))
	thread := d.scenario("remember-write")["thread_id"].(string)

	s.says(t, []string{"Deleting echo (" + d.id + ") removes", "route", "instance", "state", "bundle", "upload", "and keeps", "tracing_project", "It can be restored until "}, "delete", "echo", "--dry-run")
	if status, _, err := d.get("/ok"); err != nil || status != http.StatusOK {
		t.Fatalf("after a preview: %d, %v", status, err)
	}
	s.says(t, []string{" is gone\n", "echo is gone. Until ", "slipway restore " + d.id}, "delete", "echo", "--force")
	if _, err := s.Deployment(t.Context(), d.id); !client.IsNotFound(err) || err.Error() != "Deployment ID "+d.id+" not found." {
		t.Errorf("afterwards: %v", err)
	}
	if status, _, err := d.get("/ok"); err != nil || status != http.StatusNotFound || len(agents(s.data)) > 0 {
		t.Errorf("its address: %d, %v; processes %v", status, err, agents(s.data))
	}
	s.says(t, []string{"echo", d.id, "kept"}, "list", "--deleted")
	s.says(t, []string{"kept until", "instance", "tracing_project"}, "receipt", "echo")

	s.says(t, []string{"Restoring echo (" + d.id + ")", "echo serves at " + d.url}, "restore", "echo")
	d.scenario("remember-read", thread)
	if v, err := s.Deployment(t.Context(), d.id); err != nil || deref(v.ActiveRevisionID) != r.ID || deref(v.LatestRevisionID) != r.ID || len(v.Secrets) != 1 {
		t.Errorf("restored: %+v, %v", v, err)
	}
	d.deploy(pack(t, echo, map[string]string{"README.md": "after all that"}))
	d.scenario("remember-read", thread)
	d.deletedNow(t)
}

// deletedNow deletes with no way back, and looks at the proof and for leftovers.
func (d *deployment) deletedNow(t *testing.T) {
	d.server.says(t, []string{"It can not be restored afterwards.", "echo is gone, and nothing is left of it.", "slipway receipt " + d.id}, "delete", d.id, "--now", "--delete-tracing-project", "--force")
	if out, err := d.slipway("restore", d.id); err == nil || !strings.Contains(out, "no deleted deployment") {
		t.Errorf("restore of what is gone for good: %v\n%s", err, out)
	}
	var receipt wire.Deletion
	must(t, json.Unmarshal([]byte(d.server.says(t, nil, "receipt", d.id, "--json")), &receipt))
	kinds := map[string]bool{}
	for _, i := range receipt.Items {
		kinds[i.Kind] = true
		if i.RemovedAt == nil || i.VerifiedAt == nil || i.VerifiedAt.Before(i.RemovedAt.Time) {
			t.Errorf("no proof that it is gone: %+v", i)
		}
	}
	for _, kind := range []string{"route", "instance", "state", "bundle", "upload", "tracing_project"} {
		if !kinds[kind] {
			t.Errorf("no %s in the receipt: %+v", kind, receipt.Items)
		}
	}
	if receipt.State != "done" || receipt.DoneAt == nil || receipt.DeploymentID != d.id || len(receipt.Keep) > 0 {
		t.Errorf("receipt: %+v", receipt)
	}
	if info, err := os.Stat(deref(receipt.Snapshot)); err != nil || info.Size() == 0 {
		t.Errorf("its final snapshot: %v", err)
	}
	bundles, _ := filepath.Glob(filepath.Join(d.data, "bundles", "*"))
	if left := append(d.lies(d.id), bundles...); len(left) > 0 || len(agents(d.data)) > 0 {
		t.Errorf("left: %v, %v", left, agents(d.data))
	}
}

// diesWhileDeleting kills the server in the middle of deletions, which the next one
// brings to their end: nothing is left of them.
func (s *server) diesWhileDeleting(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		must(s.t, s.DeleteDeployment(s.t.Context(), id, client.DeleteOptions{Now: true}))
	}
	s.kill()
	s.start()
	for _, id := range ids {
		var receipt wire.Deletion
		eventually(s.t, "nothing is left of "+id, func() (done bool) {
			var err error
			receipt, err = s.Deletion(s.t.Context(), id)
			must(s.t, err)
			return receipt.State == "done"
		})
		for _, i := range receipt.Items {
			if i.RemovedAt == nil || i.VerifiedAt == nil {
				s.t.Errorf("no proof that it is gone: %+v", i)
			}
		}
		if left := s.lies(id); len(left) > 0 || len(agents(filepath.Join(s.data, "deployments", id))) > 0 {
			s.t.Errorf("left of %s: %v, %v", id, left, agents(filepath.Join(s.data, "deployments", id)))
		}
	}
}

// A name that was taken again stays with the new one; the old one comes back
// beside it.
func TestRestoreBesideANamesake(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	old := s.create("echo")
	old.deploy(pack(t, echo, nil))
	thread := old.scenario("remember-write")["thread_id"].(string)
	s.says(t, nil, "delete", "echo", "--force")
	fresh := s.create("echo")
	fresh.deploy(pack(t, echo, nil))
	if out, err := s.slipway("restore", old.id); err == nil || !strings.Contains(out, "already exists") {
		t.Errorf("under a name that is taken: %v\n%s", err, out)
	}
	s.says(t, []string{"echo-2 serves at "}, "restore", old.id, "--name", "echo-2")
	v, err := s.Deployment(t.Context(), old.id)
	must(t, err)
	if deref(v.URL) == fresh.url {
		t.Fatalf("both are at %s", fresh.url)
	}
	old.url = deref(v.URL)
	old.scenario("remember-read", thread)
	if status, _, err := fresh.get("/threads/" + thread); err != nil || status != http.StatusNotFound {
		t.Errorf("the namesake knows the thread: %d, %v", status, err)
	}
}

func TestProtectedFromDeletion(t *testing.T) {
	t.Parallel()
	s := serverOn(t, filepath.Join(t.TempDir(), "data"))
	d := s.create("precious")
	s.says(t, []string{"precious is protected"}, "protect", "precious")
	for _, args := range [][]string{{"delete", "precious", "--force"}, {"delete", d.id, "--force", "--now"}} {
		if out, err := s.slipway(args...); err == nil || !strings.Contains(out, "slipway protect precious --off") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	l := s.langgraph(t)
	l.says(1, []string{"409", "deletion_protection"}, []string{askDelete}, "delete", "--force", d.id)
	s.says(t, []string{"protected"}, "status", "precious")
	s.says(t, []string{"not protected"}, "protect", "precious", "--off")
	l.says(0, []string{"Deleted deployment " + d.id}, []string{askDelete}, "delete", "--force", d.id)
	must(t, s.WaitGone(t.Context(), d.id))
	s.says(t, []string{"precious is back"}, "restore", "precious")
}
