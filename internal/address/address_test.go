package address_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway/internal/address"
	"github.com/slipwayhq/slipway/internal/address/addresstest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// socket is a path that is too long for a socket's name, in a folder that is made.
func socket(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "http.sock")
}

func listen(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := addresstest.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serve answers with its name and what it was called.
func serve(t *testing.T, l net.Listener, name string) {
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, name+" at "+r.Host)
	})}}
	s.Start()
	t.Cleanup(s.Close)
}

func get(t *testing.T, at string) string {
	t.Helper()
	r, err := address.NewRequest(t.Context(), http.MethodGet, at, "/ok", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := address.NewClient().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestBothKinds(t *testing.T) {
	path := socket(t)
	serve(t, listen(t, path), "socket")
	if got := get(t, address.OfSocket(path)); got != "socket at localhost" {
		t.Error(got)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, "port")
	if got := get(t, l.Addr().String()); got != "port at "+l.Addr().String() {
		t.Error(got)
	}
}

// TestHostsAreApart: what stands in a URL names one address only.
func TestHostsAreApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		hosts := []string{address.Host(address.OfSocket(a)), address.Host(address.OfSocket(b))}
		if (hosts[0] == hosts[1]) != (a == b) {
			t.Errorf("%q and %q are %q", a, b, hosts)
		}
		if r, err := address.NewRequest(context.Background(), http.MethodGet, address.OfSocket(a), "/ok", nil); err != nil || r.URL.Path != "/ok" {
			t.Errorf("%q: %v", a, err)
		}
	})
}

func TestNobodyListens(t *testing.T) {
	path := socket(t)
	for name, want := range map[string]syscall.Errno{
		path:                                    syscall.ENOENT,
		filepath.Join(path, "none", "x"):        syscall.ENOENT,
		stale(t, path+".stale"):                 syscall.ECONNREFUSED,
		filepath.Join(t.TempDir(), "x", "sock"): syscall.ENOENT,
	} {
		_, err := address.DialSocket(t.Context(), name)
		if op, ok := errors.AsType[*net.OpError](err); !ok || !errors.Is(err, want) || op.Addr.String() != name {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

// stale leaves the file of a socket that nobody listens on.
func stale(t *testing.T, path string) string {
	t.Helper()
	l := listen(t, path)
	l.SetUnlinkOnClose(false)
	l.Close()
	return path
}

// TestFullQueue: who has not taken the connections before ours is waited for.
func TestFullQueue(t *testing.T) {
	path := socket(t)
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	t.Chdir(filepath.Dir(path))
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: "http.sock"}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	first, err := address.DialSocket(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	given, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := address.DialSocket(given, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("it does not wait: %v", err)
	}
	dialled := make(chan error, 1)
	go func() {
		c, err := address.DialSocket(t.Context(), path)
		if err == nil {
			c.Close()
		}
		dialled <- err
	}()
	taken, _, err := syscall.Accept(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(taken)
	if err := testsignal.Receive(t, "the connection", dialled); err != nil {
		t.Error(err)
	}
}

// TestFolderOfAnother: who may write to a folder can not lead us to a socket of
// somebody else.
func TestFolderOfAnother(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	theirs := socket(t)
	serve(t, listen(t, theirs), "theirs")
	led := filepath.Join(filepath.Dir(socket(t)), "http.sock")
	for _, err := range []error{os.Symlink(theirs, led), os.Chown(filepath.Dir(led), 65534, 65534)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := address.DialSocket(t.Context(), led)
	if !errors.Is(err, address.ErrStranger) || !strings.HasSuffix(err.Error(), led+": user 0 listens in the folder of user 65534") {
		t.Errorf("got %v", err)
	}
}

func TestPeer(t *testing.T) {
	path := socket(t)
	listen(t, path)
	c, err := address.DialSocket(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if peer, err := address.Peer(c); err != nil || int(peer.Pid) != os.Getpid() || int(peer.Uid) != os.Getuid() {
		t.Errorf("%+v, %v", peer, err)
	}
}
