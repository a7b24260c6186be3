package process_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/address"
	"github.com/slipwayhq/slipway/internal/address/addresstest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// ask returns status 0 if nothing answered.
func ask(t testing.TB, at, target string) (int, string) {
	t.Helper()
	r, err := address.NewRequest(t.Context(), http.MethodGet, at, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := address.NewClient().Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// startOnSocket starts an agent that listens on a socket, by a command of its own.
func startOnSocket(t *testing.T, args ...string) (f *fixture, at string) {
	t.Helper()
	f = &fixture{T: t, root: t.TempDir(), w: workload(t)}
	f.w.Socket, f.w.Read = true, []string{standin}
	if len(args) > 0 {
		f.w.Args = args
	}
	f.d = open(t, f.root)
	t.Cleanup(f.clear)
	return f, f.serves()
}

// serves applies and waits for an answer at the address that is told.
func (f *fixture) serves() (at string) {
	f.Helper()
	at = f.apply().Address
	testsignal.Until(f, "an answer", func() bool { status, _ := ask(f, at, "/ok"); return status == http.StatusOK })
	return at
}

func (f *fixture) listens() bool {
	f.Helper()
	listens, err := f.d.Listens(f.Context(), f.w.Deployment, f.w.Instance)
	f.try(err)
	return listens
}

// TestSocketsAreApart: a deployment's user reaches the sockets of its own
// instances and no others.
func TestSocketsAreApart(t *testing.T) {
	f := &walled{T: t, data: t.TempDir(), a: workload(t), b: workload(t)}
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	f.w = walls(t, f.data)
	f.open()
	defer f.d.Close()
	f.a.Socket, f.b.Socket = true, true
	own := f.a
	own.Instance = slipway.NewID[slipway.InstanceID](time.Now())
	at := map[slipway.InstanceID]string{}
	for _, w := range []slipway.Workload{f.a, f.b, own} {
		o, err := f.d.Apply(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		defer f.d.Stop(t.Context(), w.Deployment, w.Instance, 0)
		at[w.Instance] = o.Address
		testsignal.Until(t, "an answer", func() bool { status, _ := ask(t, o.Address, "/ok"); return status == http.StatusOK })
	}
	leaders, _ := agents(t, f.b)
	theirs := strings.TrimPrefix(at[f.b.Instance], "unix:")
	for path, want := range map[string]int{
		theirs: http.StatusForbidden,
		fmt.Sprintf("/proc/%d/root%s", leaders[0], theirs):        http.StatusForbidden,
		fmt.Sprintf("/proc/%d/cwd/../door/http.sock", leaders[0]): http.StatusForbidden,
		strings.TrimPrefix(at[own.Instance], "unix:"):             http.StatusOK,
		strings.TrimPrefix(at[f.a.Instance], "unix:"):             http.StatusOK,
	} {
		status, text := ask(t, at[f.a.Instance], "/reach?path="+neturl.QueryEscape(path))
		if status != want {
			t.Errorf("%s: %d %s, want %d", path, status, text, want)
		}
	}
	// Even who sees the folder does not get in.
	if line, err := addresstest.GetAs(65534, at[f.b.Instance], "/ok"); !errors.Is(err, syscall.EACCES) {
		t.Errorf("another user got %q, %v", line, err)
	}
}

// TestSocketIsFoundAgain: an agent on a socket is adopted there, whatever was
// lost of what was written down.
func TestSocketIsFoundAgain(t *testing.T) {
	for name, lose := range map[string]func(*fixture){
		"nothing": func(*fixture) {},
		"the record": func(f *fixture) {
			f.edit(func(s map[string]any) { s["phase"], s["pid"], s["boot"] = "starting", 0, "" })
		},
		"all": func(f *fixture) { f.try(os.Remove(filepath.Join(f.folder(), "state.json"))) },
	} {
		t.Run(name, func(t *testing.T) {
			f, at := startOnSocket(t)
			before, pid := f.inspect(), f.pid()
			f.whileClosed(func() { lose(f) })
			if o := f.apply(); o != before || f.pid() != pid || !f.listens() {
				t.Errorf("Apply = %+v, was %+v", o, before)
			}
			if status, text := ask(t, at, "/ok"); status != http.StatusOK {
				t.Error(text)
			}
		})
	}
}

// TestEarlierVersionKeepsItsPort: an agent that was started at a port is adopted
// there; its next attempt listens on a socket.
func TestEarlierVersionKeepsItsPort(t *testing.T) {
	f := start(t)
	port := fmt.Sprintf("127.0.0.1:%d", f.w.Port)
	f.w.Socket = true
	f.whileClosed(func() {})
	if o := f.apply(); o.Address != port || !f.listens() {
		t.Errorf("adopted at %+v", o)
	}
	f.w.Attempt++
	at := f.serves()
	if want := "unix:" + filepath.Join(f.folder(), "door", "http.sock"); at != want || !f.listens() {
		t.Errorf("the next attempt is at %s, want %s", at, want)
	}
	if status, _ := ask(t, port, "/ok"); status != 0 {
		t.Error("it is at the port too")
	}
}

func TestListensByWorkerOnSocket(t *testing.T) {
	f, _ := startOnSocket(t, "/bin/sh", "-c", "setsid "+standin+" & wait")
	if !f.listens() {
		t.Error("its worker does not count")
	}
}

// TestListensThoughNobodyIsLetIn: where so many wait to be let in that there is no
// room for one more, somebody listens. An agent that is busy is seen so.
func TestListensThoughNobodyIsLetIn(t *testing.T) {
	f := &fixture{T: t, root: t.TempDir(), w: workload(t, "-shut")}
	f.w.Socket = true
	f.d = open(t, f.root)
	t.Cleanup(f.clear)
	name, err := addresstest.Short(strings.TrimPrefix(f.apply().Address, "unix:"))
	f.try(err)
	var full error
	testsignal.Until(t, "that there is no room", func() bool {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		f.try(err)
		t.Cleanup(func() { unix.Close(fd) })
		full = unix.Connect(fd, &unix.SockaddrUnix{Name: name})
		return errors.Is(full, unix.EAGAIN)
	})
	if !f.listens() {
		t.Error("it is taken not to listen")
	}
	f.stop(0)
	if f.listens() {
		t.Error("it listens, and is gone")
	}
}

// TestLedToAnotherSocket: an agent that puts a link in the place of its socket
// does not get what it leads to asked by the server.
func TestLedToAnotherSocket(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	folder := t.TempDir()
	ours := filepath.Join(folder, "of-the-server.sock")
	l, err := addresstest.Listen(ours)
	if err != nil {
		t.Fatal(err)
	}
	of := httptest.Server{Listener: l, Config: &http.Server{Handler: http.NotFoundHandler()}}
	of.Start()
	defer of.Close()
	f := &fixture{T: t, root: filepath.Join(folder, "deployments"), w: workload(t)}
	f.w.Socket = true
	f.w.Args = []string{"/bin/sh", "-c", "ln -s " + ours + ` "$SLIPWAY_SOCKET"; exec sleep 3600`}
	f.d = open(t, f.root, process.Within(walls(t, folder)))
	t.Cleanup(f.clear)
	at := f.apply().Address
	testsignal.Until(t, "the link", func() bool { _, err := os.Lstat(strings.TrimPrefix(at, "unix:")); return err == nil })
	if f.listens() {
		t.Error("it listens by a link")
	}
	if status, text := ask(t, at, "/ok"); status != 0 || !strings.Contains(text, "user 0 listens in the folder of user") {
		t.Errorf("%d %s", status, text)
	}
}
