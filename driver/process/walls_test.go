package process_test

import (
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/process"
)

// walled is a server with two deployments behind walls.
type walled struct {
	*testing.T
	data string
	w    process.Walls
	d    *process.Driver
	a, b slipway.Workload
}

func behindWalls(t *testing.T) *walled {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	f := &walled{T: t, data: t.TempDir(), a: workload(t), b: workload(t)}
	f.w = walls(t, f.data)
	for _, name := range []string{"secret.key", "admin.key", "slipway.db"} {
		if err := os.WriteFile(filepath.Join(f.data, name), []byte("of the server"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f.open()
	t.Cleanup(func() {
		for _, w := range []slipway.Workload{f.a, f.b} {
			if err := f.d.Stop(t.Context(), w.Deployment, w.Instance, 0); err != nil && t.Context().Err() == nil {
				t.Error(err)
			}
		}
		f.d.Close()
	})
	f.a.Stateful, f.b.Stateful = true, true
	f.serve(f.a)
	f.serve(f.b)
	return f
}

func (f *walled) open() { f.d = open(f, filepath.Join(f.data, "deployments"), process.Within(f.w)) }

func (f *walled) serve(w slipway.Workload) {
	f.Helper()
	if _, err := f.d.Apply(f.Context(), w); err != nil {
		f.Fatal(err)
	}
	if err := serving(w); err != nil {
		f.Fatal(err)
	}
}

// folder of an instance.
func (f *walled) folder(w slipway.Workload) string {
	return filepath.Join(f.data, "deployments", string(w.Deployment), "instances", string(w.Instance))
}

// ask has an agent read or write a path.
func (f *walled) ask(w slipway.Workload, method, what, path string) (bool, string) {
	f.Helper()
	r, _ := http.NewRequest(method, url(w, what+"?path="+neturl.QueryEscape(path)), nil)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode == http.StatusOK, string(text)
}

// TestWalls has one agent try what it must not, and what it may.
func TestWalls(t *testing.T) {
	f := behindWalls(t)
	leaders, _ := agents(t, f.b)
	state := func(w slipway.Workload) string {
		return filepath.Join(f.data, "deployments", string(w.Deployment), "state")
	}
	for _, w := range []slipway.Workload{f.a, f.b} {
		if ok, text := f.ask(w, http.MethodPost, "/write", filepath.Join(state(w), "threads")); !ok {
			t.Fatalf("it can not write its state: %s", text)
		}
	}
	for path, may := range map[string]bool{
		filepath.Join(f.data, "secret.key"):                  false,
		filepath.Join(f.data, "admin.key"):                   false,
		filepath.Join(f.data, "slipway.db"):                  false,
		filepath.Join(state(f.b), "threads"):                 false,
		filepath.Join(f.folder(f.b), "work"):                 false,
		filepath.Join(f.folder(f.b), "output.log"):           false,
		filepath.Join(f.folder(f.a), "state.json"):           false,
		filepath.Join(f.folder(f.a), "output.log"):           false,
		fmt.Sprintf("/proc/%d/environ", leaders[0]):          false,
		fmt.Sprintf("/proc/%d/environ", os.Getpid()):         false,
		fmt.Sprintf("/proc/%d/root/etc/shadow", os.Getpid()): false,
		"/root":                              false,
		"/etc/shadow":                        false,
		"/etc/hosts":                         true,
		"/proc/self/environ":                 true,
		filepath.Join(state(f.a), "threads"): true,
		filepath.Join(f.folder(f.a), "work"): true,
		filepath.Join(f.folder(f.a), "tmp"):  true,
	} {
		if ok, text := f.ask(f.a, http.MethodGet, "/read", path); ok != may {
			t.Errorf("read %s: %v %s", path, ok, text)
		}
	}
	for path, may := range map[string]bool{
		filepath.Join(f.folder(f.a), "state.json"):     false,
		filepath.Join(f.folder(f.a), "new"):            false,
		filepath.Join(filepath.Dir(state(f.a)), "new"): false,
		filepath.Join(state(f.b), "new"):               false,
		"/tmp/slipway-wall-test":                       false,
		"/sys/fs/cgroup/pids/cgroup.procs":             false,
		filepath.Join(f.folder(f.a), "work", "new"):    true,
		filepath.Join(f.folder(f.a), "tmp", "new"):     true,
	} {
		if ok, text := f.ask(f.a, http.MethodPost, "/write", path); ok != may {
			t.Errorf("write %s: %v %s", path, ok, text)
		}
	}
}

// userOf reads who runs a process.
func userOf(t *testing.T, pid int) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, uid, _ := strings.Cut(string(status), "\nUid:")
	uid, _, _ = strings.Cut(uid, "\n")
	return strings.Fields(uid)[0]
}

// TestUsersAreKept: a deployment has its user for good, another one another.
func TestUsersAreKept(t *testing.T) {
	f := behindWalls(t)
	leader := func(w slipway.Workload) int {
		leaders, _ := agents(t, w)
		if len(leaders) != 1 {
			t.Fatalf("processes %v", leaders)
		}
		return leaders[0]
	}
	a, b := userOf(t, leader(f.a)), userOf(t, leader(f.b))
	if a == b || a == "0" || b == "0" {
		t.Errorf("users %s and %s", a, b)
	}
	if err := f.d.Stop(t.Context(), f.a.Deployment, f.a.Instance, time.Minute); err != nil {
		t.Fatal(err)
	}
	f.d.Close()
	f.open()
	f.a.Attempt = 2
	f.serve(f.a)
	if again := userOf(t, leader(f.a)); again != a {
		t.Errorf("user %s, was %s", again, a)
	}
}

// TestUsersAreGivenBack: a user is another's only after Purge.
func TestUsersAreGivenBack(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	data := t.TempDir()
	w := walls(t, data)
	w.Users.Last = w.Users.First
	d := open(t, filepath.Join(data, "deployments"), process.Within(w))
	defer d.Close()
	first, second := workload(t, "-exit=1"), workload(t, "-exit=1")
	first.Stateful = true
	apply := func(w slipway.Workload) error {
		_, err := d.Apply(t.Context(), w)
		return err
	}
	if err := apply(first); err != nil {
		t.Fatal(err)
	}
	if f, ok := apply(second).(*slipway.Failure); !ok || f.Code != "no_user" || f.Hint == "" {
		t.Errorf("got %v", f)
	}
	for _, do := range []func() error{
		func() error { return d.Stop(t.Context(), first.Deployment, first.Instance, 0) },
		func() error { return d.Delete(t.Context(), first.Deployment, first.Instance) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if apply(second) == nil {
		t.Error("the state of the first is left, and its user is another's")
	}
	if err := d.Purge(t.Context(), first.Deployment); err != nil {
		t.Fatal(err)
	}
	if err := apply(second); err != nil {
		t.Error(err)
	}
	if err := d.Stop(t.Context(), second.Deployment, second.Instance, 0); err != nil {
		t.Error(err)
	}
}

// TestFormerVersion: an agent that a server without walls started is adopted,
// stopped and deleted by one that has them; its state goes to its user.
func TestFormerVersion(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	data := t.TempDir()
	root := filepath.Join(data, "deployments")
	d := open(t, root)
	w := workload(t)
	w.Stateful = true
	if _, err := d.Apply(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if err := serving(w); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(root, string(w.Deployment), "state")
	if err := os.WriteFile(filepath.Join(state, "threads"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d = open(t, root, process.Within(walls(t, data)))
	defer d.Close()
	if o, err := d.Inspect(t.Context(), w.Deployment, w.Instance); err != nil || o.Phase != slipway.PhaseRunning {
		t.Fatalf("Inspect = %+v, %v", o, err)
	}
	if err := d.Stop(t.Context(), w.Deployment, w.Instance, time.Minute); err != nil {
		t.Fatal(err)
	}
	w.Attempt = 2
	if _, err := d.Apply(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if err := serving(w); err != nil {
		t.Fatal(err)
	}
	f := &walled{T: t, data: data}
	if ok, text := f.ask(w, http.MethodGet, "/read", filepath.Join(state, "threads")); !ok {
		t.Errorf("its state is not its own: %s", text)
	}
	if err := d.Stop(t.Context(), w.Deployment, w.Instance, 0); err != nil {
		t.Error(err)
	}
	if err := remove(t.Context(), d, w); err != nil {
		t.Error(err)
	}
}
