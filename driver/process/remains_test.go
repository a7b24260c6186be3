package process_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// strangers are things that look like those of a workload below a root: folders
// and files of similar names, a process with almost its mark, and the same
// deployment of another installation, which runs.
func strangers(root string, options ...process.Option) func(*testing.T, slipway.Workload) func() {
	return func(t *testing.T, like slipway.Workload) func() {
		id := string(like.Deployment)
		for _, name := range []string{id + "-old", "x" + id, "purged-x" + id, "notes"} {
			must(t, os.MkdirAll(filepath.Join(root, name, "state"), 0o700))
			must(t, os.WriteFile(filepath.Join(root, name, "state", "threads"), []byte("of "+name), 0o600))
		}
		must(t, os.WriteFile(filepath.Join(root, id+".tar"), []byte("a copy"), 0o600))
		marked := exec.Command("sleep", "3600")
		marked.Env = []string{"SLIPWAY_FOLDER=" + filepath.Join(root+"-old", id, "instances", string(like.Instance))}
		must(t, marked.Start())
		t.Cleanup(func() { marked.Process.Kill(); marked.Wait() })

		elsewhere := t.TempDir()
		d := open(t, elsewhere, options...)
		t.Cleanup(func() {
			must(t, d.Stop(context.Background(), like.Deployment, like.Instance, 0))
			must(t, d.Close())
		})
		like.Port = drivertest.FreePort(t)
		o, err := d.Apply(t.Context(), like)
		must(t, err)
		testsignal.Until(t, "the other's first answer", func() bool { return answers(t, o) })
		must(t, os.WriteFile(filepath.Join(elsewhere, id, "state", "threads"), []byte("the other's"), 0o600))

		before := fingerprints(t, root, like, elsewhere)
		return func() {
			if after := fingerprints(t, root, like, elsewhere); !slices.Equal(before, after) {
				t.Errorf("what strangers have was %v, is %v", before, after)
			}
			if !answers(t, o) || !alive(marked.Process.Pid) {
				t.Error("what strangers run has ended")
			}
		}
	}
}

// fingerprints are of what is not the workload's.
func fingerprints(t *testing.T, root string, w slipway.Workload, elsewhere string) []string {
	t.Helper()
	prints := []string{drivertest.Fingerprint(t, filepath.Join(elsewhere, string(w.Deployment), "state"))}
	entries, err := os.ReadDir(root)
	must(t, err)
	for _, entry := range entries {
		name := entry.Name()
		if strings.Contains(name, string(w.Deployment)) && name != string(w.Deployment) || name == "notes" {
			prints = append(prints, drivertest.Fingerprint(t, filepath.Join(root, name)))
		}
	}
	return prints
}

func answers(t *testing.T, o slipway.Observed) bool {
	status, _ := ask(t, o.Address, "/ok")
	return status == http.StatusOK
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// whats tells what remains of a workload's deployment.
func whats(t testing.TB, d *process.Driver, w slipway.Workload) string {
	t.Helper()
	things, err := d.Remains(t.Context(), w.Deployment)
	must(t, err)
	var all []string
	for _, thing := range things {
		if thing.Since.IsZero() || thing.Since.After(time.Now().Add(time.Minute)) || time.Since(thing.Since) > time.Hour {
			t.Errorf("%s since %v", thing.What, thing.Since)
		}
		all = append(all, thing.What)
	}
	return strings.Join(all, "\n")
}

func wantAll(t testing.TB, told string, want ...string) {
	t.Helper()
	for _, what := range want {
		if !strings.Contains(told, what) {
			t.Errorf("not told of %q:\n%s", what, told)
		}
	}
}

// Each thing is told by what a person would look for.
func TestRemains(t *testing.T) {
	f := behindWalls(t)
	folder := filepath.Join(f.data, "deployments", string(f.a.Deployment))
	own := filepath.Join(folder, "instances", string(f.a.Instance))
	shared := filepath.Join("/dev/shm", "slipway-test-"+string(f.a.Deployment))
	must(t, os.WriteFile(shared, []byte("of the agent"), 0o600))
	t.Cleanup(func() { os.Remove(shared) })
	must(t, os.Chown(shared, f.user(f.a), f.user(f.a)))
	must(t, os.MkdirAll(filepath.Join(folder, "state.restoring"), 0o700))

	wantAll(t, whats(t, f.d, f.a), "process ", "(standin)", own, own+"/output.log", folder+"/state", folder+"/state.restoring", "user ", shared)
	must(t, f.d.Stop(t.Context(), f.a.Deployment, f.a.Instance, time.Minute))
	must(t, f.d.Snapshot(t.Context(), f.a.Deployment, "one"))
	told := whats(t, f.d, f.a)
	if strings.Contains(told, "process ") || strings.Contains(told, "control group") {
		t.Errorf("stopped, and still told:\n%s", told)
	}
	wantAll(t, told, own, folder+"/snapshots/one")
	must(t, f.d.Delete(t.Context(), f.a.Deployment, f.a.Instance))
	must(t, f.d.Purge(t.Context(), f.a.Deployment))
	if told := whats(t, f.d, f.a); told != "" {
		t.Errorf("purged, and still told:\n%s", told)
	}
	if _, err := os.Lstat(shared); err == nil {
		t.Error("what its user had in shared memory is left")
	}
	wantAll(t, whats(t, f.d, f.b), "process ", "state", "user ")
}

// user is who runs a deployment's agents.
func (f *walled) user(w slipway.Workload) int {
	f.Helper()
	entries, err := os.ReadDir(f.w.Taken)
	must(f, err)
	for _, entry := range entries {
		if owner, _ := os.Readlink(filepath.Join(f.w.Taken, entry.Name())); filepath.Base(owner) == string(w.Deployment) {
			uid, err := strconv.Atoi(entry.Name())
			must(f, err)
			return uid
		}
	}
	f.Fatal("it has no user")
	return 0
}

// What runs is told, and ended, also where its folder is gone and nobody knows it.
func TestRemainsWithoutFolder(t *testing.T) {
	f := start(t)
	pid := f.pid()
	must(t, os.RemoveAll(filepath.Join(f.root, string(f.w.Deployment))))
	wantAll(t, whats(t, f.d, f.w), "process "+strconv.Itoa(pid))
	if err := f.d.Purge(t.Context(), f.w.Deployment); err == nil {
		t.Error("purged while it ran")
	}
	f.stop(time.Minute)
	must(t, f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance))
	must(t, f.d.Purge(t.Context(), f.w.Deployment))

	stray := exec.Command("sleep", "3600")
	stray.Env = []string{"SLIPWAY_FOLDER=" + f.folder()}
	must(t, stray.Start())
	t.Cleanup(func() { stray.Process.Kill(); stray.Wait() })
	wantAll(t, whats(t, f.d, f.w), "process "+strconv.Itoa(stray.Process.Pid))
	if err := f.d.Purge(t.Context(), f.w.Deployment); err == nil || !strings.Contains(err.Error(), "process ") {
		t.Errorf("Purge = %v", err)
	}
	f.stop(time.Minute)
	must(t, f.d.Purge(t.Context(), f.w.Deployment))
}

// What can not be removed is said, and removed once it can.
func TestRemovalRefused(t *testing.T) {
	for _, c := range []struct{ name, file string }{{"an instance", "instances"}, {"state", "state"}} {
		t.Run(c.name, func(t *testing.T) {
			f := start(t)
			f.w.Stateful, f.w.Attempt = true, 2
			f.apply()
			f.stop(0)
			folder := filepath.Join(f.root, string(f.w.Deployment), c.file)
			if c.file == "instances" {
				folder = filepath.Join(f.folder(), "work")
			}
			file := filepath.Join(folder, "fast")
			must(t, os.WriteFile(file, nil, 0o600))
			mend := immutable(t, folder)
			err := f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance)
			if c.file == "state" {
				must(t, err)
				err = f.d.Purge(t.Context(), f.w.Deployment)
			}
			if err == nil || !strings.Contains(err.Error(), "chattr -i") {
				t.Errorf("removed what can not be: %v", err)
			}
			if told := whats(t, f.d, f.w); told == "" {
				t.Error("nothing is said to be left")
			}
			mend()
			must(t, f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance))
			must(t, f.d.Purge(t.Context(), f.w.Deployment))
		})
	}
}

// immutable has what is in a folder stay there, for root too.
func immutable(t *testing.T, folder string) (mend func()) {
	t.Helper()
	set := func(flags int) error {
		f, err := os.Open(folder)
		if err != nil {
			return nil // it was moved: those who hold it mend it by its new name
		}
		defer f.Close()
		return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
	}
	if err := set(0x10); err != nil {
		t.Skipf("nothing can be made immutable here: %v", err)
	}
	mend = func() {
		moved := filepath.Join(filepath.Dir(filepath.Dir(folder)), "purged-"+filepath.Base(filepath.Dir(folder)), filepath.Base(folder))
		_ = set(0)
		folder = moved
		_ = set(0)
	}
	t.Cleanup(mend)
	return mend
}

// A file where a folder should be is in nobody's way.
func TestFileInPlaceOfFolder(t *testing.T) {
	f := start(t)
	f.apply()
	f.stop(0)
	folder := filepath.Join(f.root, string(f.w.Deployment))
	must(t, os.RemoveAll(folder))
	must(t, os.WriteFile(folder, []byte("a file"), 0o600))
	wantAll(t, whats(t, f.d, f.w), folder)
	for range 2 {
		must(t, f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance))
		must(t, f.d.Purge(t.Context(), f.w.Deployment))
	}
	if told := whats(t, f.d, f.w); told != "" {
		t.Errorf("left: %s", told)
	}
}

// Many who ask at once share a look.
func TestRemainsOfMany(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	var asking sync.WaitGroup
	for range 1000 {
		asking.Go(func() {
			things, err := d.Remains(t.Context(), slipway.NewID[slipway.DeploymentID](time.Now()))
			if len(things) > 0 || err != nil {
				t.Errorf("Remains = %v, %v", things, err)
			}
		})
	}
	asking.Wait()
}

func BenchmarkRemains(b *testing.B) {
	d := open(b, b.TempDir())
	defer d.Close()
	b.SetParallelism(100)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := d.Remains(b.Context(), slipway.NewID[slipway.DeploymentID](time.Now())); err != nil {
				b.Error(err)
			}
		}
	})
}

// A full disk keeps nothing from being stopped and removed.
func TestRemovalOnFullDisk(t *testing.T) {
	root := t.TempDir()
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(root, unix.MNT_DETACH)) })
	f := &fixture{T: t, root: root, w: workload(t)}
	f.w.Stateful = true
	f.d = open(t, root)
	t.Cleanup(f.clear)
	f.apply()
	must(t, serving(f.w))
	state := filepath.Join(root, string(f.w.Deployment), "state")
	if err := os.WriteFile(filepath.Join(state, "all"), make([]byte, 2<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	f.stop(time.Minute)
	must(t, f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance))
	must(t, f.d.Purge(t.Context(), f.w.Deployment))
	if told := whats(t, f.d, f.w); told != "" {
		t.Errorf("left:\n%s", told)
	}
}
