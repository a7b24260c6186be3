package daemon_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	dockerclient "github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// deletionFault keeps a deployment from being deleted, or is in the way of it.
type deletionFault struct {
	// cause brings the fault about, and returns what ends it; nil if that is not
	// for us to do.
	cause func(m *mortal, id string) (mend func())
	shown string // as the reason, "" if there is none to show
	deaf  bool   // the agent does not end when it is asked to
	aside bool   // it was deleted before, and only what was kept aside is to go
}

// folder is where the state of a deployment lies.
func (m *mortal) folder(id string) string {
	return filepath.Join(m.data, "deployments", id, "state")
}

var processFaults = map[string]deletionFault{
	"a file is immutable": {shown: "chattr -i", cause: func(m *mortal, id string) func() {
		return m.immutable(filepath.Join(m.folder(id), "threads"))
	}},
	"a file in the instance's folder is immutable": {shown: "chattr -i", cause: func(m *mortal, id string) func() {
		folders, err := filepath.Glob(filepath.Join(filepath.Dir(m.folder(id)), "instances", "*"))
		must(m.t, err)
		agents := slices.DeleteFunc(folders, func(path string) bool { return filepath.Base(path) == id }) // which is its Redis
		file := filepath.Join(agents[0], "immutable")
		must(m.t, os.WriteFile(file, nil, 0o600))
		mend := m.immutable(file)
		return func() {
			testsignal.Until(m.t, "the rest to be removed", func() bool { return m.clears(id, "state") })
			mend()
		}
	}},
	"something is mounted": {shown: "umount it", cause: func(m *mortal, id string) func() {
		foreign, path := m.t.TempDir(), filepath.Join(m.folder(id), "mounted")
		file := filepath.Join(foreign, "file")
		must(m.t, errors.Join(os.WriteFile(file, []byte("somebody's"), 0o600), os.Mkdir(path, 0o700)))
		unmount := m.mount(foreign, path, 0)
		return func() {
			unmount()
			if text, err := os.ReadFile(file); string(text) != "somebody's" {
				m.t.Errorf("what was mounted holds %q, %v", text, err)
			}
		}
	}},
	"it can not be written": {shown: "mounted read-only", cause: func(m *mortal, id string) func() {
		path := filepath.Join(m.data, "deployments")
		return m.mount(path, path, unix.MS_RDONLY)
	}},
	"it does not end when it is asked to": {deaf: true},
	"it is gone, with its folder": {cause: func(m *mortal, id string) func() {
		_, pid := m.ask("app", http.MethodGet, "/pid")
		must(m.t, os.RemoveAll(filepath.Dir(m.folder(id))))
		number, err := strconv.Atoi(pid)
		must(m.t, err)
		must(m.t, syscall.Kill(number, syscall.SIGKILL))
		return nil
	}},
	"its folder went while there was no server, and it runs": {cause: func(m *mortal, id string) func() {
		m.kill()
		must(m.t, os.RemoveAll(filepath.Dir(m.folder(id))))
		m.start("")
		return nil
	}},
	"its folder is gone, and it runs": {cause: func(m *mortal, id string) func() {
		must(m.t, os.RemoveAll(filepath.Dir(m.folder(id))))
		return nil
	}},
}

var containerFaults = map[string]deletionFault{
	"the engine is down":                  {shown: "docker.sock", cause: engineDown},
	"the engine is down for the state":    {shown: "docker.sock", cause: engineDown, aside: true},
	"it does not end when it is asked to": {deaf: true},
	"somebody's container is in its network": {shown: "a container of somebody else is in it", cause: func(m *mortal, id string) func() {
		c, ctx := m.engine.Client(m.t), m.t.Context()
		made, err := c.ContainerCreate(ctx, dockerclient.ContainerCreateOptions{Image: m.neighboursImage()})
		must(m.t, err)
		_, err = c.NetworkConnect(ctx, "slipway-"+id, dockerclient.NetworkConnectOptions{Container: made.ID})
		must(m.t, err)
		_, err = c.ContainerStart(ctx, made.ID, dockerclient.ContainerStartOptions{})
		must(m.t, err)
		return func() {
			_, err := c.ContainerRemove(ctx, made.ID, dockerclient.ContainerRemoveOptions{Force: true})
			must(m.t, err)
		}
	}},
	"its container is gone": {cause: func(m *mortal, id string) func() {
		c, ctx := m.engine.Client(m.t), m.t.Context()
		of := make(dockerclient.Filters).Add("label", "slipway.deployment="+id)
		found, err := c.ContainerList(ctx, dockerclient.ContainerListOptions{All: true, Filters: of})
		must(m.t, err)
		for _, container := range found.Items {
			_, err := c.ContainerRemove(ctx, container.ID, dockerclient.ContainerRemoveOptions{Force: true})
			must(m.t, err)
		}
		return nil
	}},
}

func engineDown(m *mortal, _ string) (mend func()) {
	m.engine.Down()
	return func() { must(m.t, m.engine.Up()) }
}

// A deletion that something is in the way of says what, tries again, and ends
// once that is over. The neighbour does not notice.
func TestFaultsOfADeletion(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes and an engine are met")
	}
	if os.Getuid() != 0 {
		t.Skip("only root can mount a disk")
	}
	binary := mortalBinary(t)
	program, err := drivertest.BuildStandin(t.TempDir())
	must(t, err)
	t.Run("processes", func(t *testing.T) {
		t.Parallel()
		newMortal(t, binary, program, nil).meet(processFaults)
	})
	t.Run("containers", func(t *testing.T) {
		t.Parallel()
		newMortal(t, binary, program, dockertest.Start(t), withState).meet(containerFaults)
	})
}

func (m *mortal) meet(faults map[string]deletionFault) {
	whole := m.t
	for name, f := range faults {
		whole.Run(name, func(t *testing.T) {
			m.t = t
			defer func() { m.t = whole }()
			m.meets(f)
		})
	}
	m.nothingIsLeft()
}

// immutable has a file refuse every change, and returns what ends that.
func (m *mortal) immutable(file string) (mend func()) {
	f, err := os.Open(file)
	must(m.t, err)
	m.t.Cleanup(func() { f.Close() })
	set := func(flags int) error { return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags) }
	const immutable = 0x10
	if err := set(immutable); err != nil {
		m.t.Skipf("files can not be made immutable here: %v", err)
	}
	return func() { must(m.t, set(0)) }
}

// clears says whether of what the data plane made for a deployment that is being
// deleted only things of a kind are left.
func (m *mortal) clears(id, but string) bool {
	d, err := m.client.Deletion(m.t.Context(), id)
	must(m.t, err)
	return !slices.ContainsFunc(d.Items, func(i wire.DeletionItem) bool {
		return i.RemovedAt == nil && i.Kind != but && slipway.ItemKind(i.Kind).OnDataPlane()
	})
}

// mount mounts a folder on another, and returns what ends that.
func (m *mortal) mount(from, to string, flags uintptr) (unmount func()) {
	must(m.t, unix.Mount(from, to, "", unix.MS_BIND, ""))
	mounted := true
	unmount = func() {
		if mounted {
			must(m.t, unix.Unmount(m.purged(to), unix.MNT_DETACH))
		}
		mounted = false
	}
	m.t.Cleanup(unmount)
	must(m.t, unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|flags, ""))
	return unmount
}

// purged is where a path of a deployment lies now: what is being removed is moved
// aside first.
func (m *mortal) purged(path string) string {
	if _, err := os.Lstat(path); err == nil {
		return path
	}
	root := filepath.Join(m.data, "deployments")
	return filepath.Join(root, "purged-"+strings.TrimPrefix(path, root+"/"))
}

func (m *mortal) meets(f deletionFault) {
	m.note()
	m.secrets = nil
	if f.deaf {
		m.secrets = []wire.Secret{{Name: "STANDIN_DEAF", Value: "1"}}
	}
	id := m.deploy("app")
	m.write(id)
	defer m.strangers(id)()
	if m.engine != nil {
		defer m.strangerInEngine(id)()
	}
	plan, err := m.client.DeletionPlan(m.t.Context(), id, client.DeleteOptions{Now: true})
	must(m.t, err)
	_, pid := m.ask("app", http.MethodGet, "/pid")
	remove := func() error { return m.delete(m.t.Context(), id, client.DeleteOptions{Now: true}) }
	if f.aside {
		must(m.t, m.delete(m.t.Context(), id, client.DeleteOptions{}))
		testsignal.Until(m.t, "it to be kept aside", func() bool { return m.isKept(id) })
		remove = func() error { return m.client.PurgeDeployment(m.t.Context(), id) }
	}
	var mend func()
	if f.cause != nil {
		mend = f.cause(m, id)
	}
	must(m.t, remove())
	if f.shown != "" {
		testsignal.Until(m.t, "the reason to be shown, again", func() bool { return m.shows(id, f.shown) })
		if m.isDone(id) {
			m.t.Error("it is done all the same")
		}
	}
	if mend != nil {
		mend()
	}
	testsignal.Until(m.t, "the end", func() bool { return m.isDone(id) })
	m.forget(id)
	m.keeps(id, plan)
	if said, _ := os.ReadFile("/proc/" + pid + "/cmdline"); m.engine == nil && len(said) > 0 {
		m.t.Errorf("process %s runs still: %q", pid, said)
	}
	m.neighbourIsWell()
}

// keeps compares the receipt with what was planned: it has all of that, in order,
// and more only if that was found on the way. What it proves forget has seen.
func (m *mortal) keeps(id string, plan wire.DeletionPlan) {
	m.t.Helper()
	receipt, err := m.client.Deletion(m.t.Context(), id)
	must(m.t, err)
	var planned, removed []string
	for _, i := range plan.Remove {
		planned = append(planned, i.Kind+" "+i.Ref)
	}
	for _, i := range receipt.Items {
		if what := i.Kind + " " + i.Ref; slices.Contains(planned, what) || i.Attempts == 0 {
			removed = append(removed, what)
		}
	}
	if len(planned) < 5 || !slices.Equal(planned, removed) {
		m.t.Errorf("planned were\n%s\nand removed\n%s", strings.Join(planned, "\n"), strings.Join(removed, "\n"))
	}
	if len(plan.Keep) != 1 || len(receipt.Keep) != 1 || plan.Keep[0].Kind != "tracing_project" || receipt.Keep[0].Ref != plan.Keep[0].Ref {
		m.t.Errorf("to be kept was %+v, and is %+v", plan.Keep, receipt.Keep)
	}
}

// shows says whether a thing is shown to be there for a reason, after it was
// tried more than once.
func (m *mortal) shows(id, reason string) bool {
	d, err := m.client.Deletion(m.t.Context(), id)
	must(m.t, err)
	for _, i := range d.Items {
		if i.RemovedAt == nil && i.Attempts > 1 && i.Error != nil && strings.Contains(*i.Error, reason) {
			return true
		}
	}
	return false
}
