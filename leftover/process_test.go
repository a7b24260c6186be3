package leftover_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/testsignal"
	"github.com/slipwayhq/slipway/leftover"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// real is an installation whose store knows one of two deployments that run.
type real struct {
	*testing.T
	driver       slipway.Driver
	store        *store
	kept, lost   slipway.Workload
	keptO, lostO slipway.Observed
}

func newReal(t *testing.T, d slipway.Driver, image string, args ...string) *real {
	r := &real{T: t, driver: d, store: &store{known: map[slipway.DeploymentID]bool{}}}
	r.kept, r.lost = r.workload(image, args), r.workload(image, args)
	r.keptO, r.lostO = r.serve(r.kept), r.serve(r.lost)
	r.store.known[r.kept.Deployment] = true
	return r
}

func (r *real) workload(image string, args []string) slipway.Workload {
	return slipway.Workload{
		Instance: slipway.NewID[slipway.InstanceID](time.Now()), Deployment: slipway.NewID[slipway.DeploymentID](time.Now()),
		Attempt: 1, Image: image, Args: args, Port: drivertest.FreePort(r), Stateful: true,
	}
}

func (r *real) serve(w slipway.Workload) slipway.Observed {
	r.Helper()
	o, err := r.driver.Apply(r.Context(), w)
	must(r, err)
	testsignal.Until(r, "the first answer", func() bool { return answers(o) })
	return o
}

func answers(o slipway.Observed) bool {
	answer, err := http.Get("http://" + o.Address + "/ok")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// scan looks twice, a day after everything was made.
func (r *real) scan() {
	r.Helper()
	now := time.Now().Add(25 * time.Hour)
	s := leftover.New(r.store, leftover.Config{Owner: "here", Now: func() time.Time { return now }}, leftover.OfDriver(r.driver))
	must(r, s.Scan(r.Context()))
	if len(r.store.told) == 0 || !answers(r.lostO) {
		r.Errorf("in the first look: %+v, it runs: %t", r.store.told, answers(r.lostO))
	}
	now = now.Add(time.Hour)
	must(r, s.Scan(r.Context()))
	if len(r.store.told) > 0 {
		r.Errorf("left: %+v", r.store.told)
	}
	if left, err := r.driver.Remains(r.Context(), r.lost.Deployment); len(left) > 0 || err != nil {
		r.Errorf("there is %+v, %v", left, err)
	}
	if answers(r.lostO) || !answers(r.keptO) {
		r.Errorf("what nobody knows runs: %t, its neighbour: %t", answers(r.lostO), answers(r.keptO))
	}
}

// A process that nobody knows goes with all that it has. What is like it, and
// what is near it, stays as it was.
func TestProcesses(t *testing.T) {
	standin, err := drivertest.BuildStandin(t.TempDir())
	must(t, err)
	root := t.TempDir()
	d, err := process.Open(root)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	r := newReal(t, d, "", standin)
	t.Cleanup(func() { stopAll(t, d) })

	id := string(r.lost.Deployment)
	near := t.TempDir() // what lies beside the data folder's
	folders := []string{filepath.Join(root, id+"-old"), filepath.Join(root, string(r.kept.Deployment), "state"), near}
	must(t, os.MkdirAll(folders[0], 0o700))
	must(t, os.WriteFile(filepath.Join(folders[0], "threads"), []byte("a copy"), 0o600))
	must(t, os.WriteFile(filepath.Join(folders[1], "threads"), []byte("the neighbour's"), 0o600))
	must(t, os.WriteFile(filepath.Join(near, id+".db"), []byte("a database"), 0o600))
	must(t, os.Symlink(near, filepath.Join(root, id, "state", "link")))
	stranger := exec.Command(standin, "-mute")
	stranger.Dir = near
	stranger.Env = []string{"SLIPWAY_DEPLOYMENT=" + id, "PORT=0"}
	must(t, stranger.Start())
	t.Cleanup(func() { stranger.Process.Kill(); stranger.Wait() })

	before := prints(t, folders)
	r.scan()
	if after := prints(t, folders); after != before {
		t.Error("what resembles it, or lies near it, has changed")
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the stranger has ended: %v", err)
	}
}

func prints(t *testing.T, folders []string) (all string) {
	t.Helper()
	for _, folder := range folders {
		all += drivertest.Fingerprint(t, folder)
	}
	return all
}
