package systemd_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/internal/systemd"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestMain is the service too: it is started as systemd does.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_SERVICE") == "" {
		os.Exit(m.Run())
	}
	s, err := systemd.Take()
	for _, socket := range s.Sockets {
		fmt.Printf("%q at %s\n", socket.Name, socket.Addr())
	}
	heir, _ := exec.Command("sh", "-c", "env | grep -e ^LISTEN_ -e ^NOTIFY_; ls -l /proc/self/fd").CombinedOutput()
	fmt.Printf("error %v\nready %v\nstopping %v\n%s", err, s.Ready(), s.Stopping(), heir)
}

// started is what a service says that is given sockets.
func started(t *testing.T, variables string, sockets ...*os.File) string {
	t.Helper()
	service := exec.Command("sh", "-c", variables+` exec "$0"`, os.Args[0])
	service.Env = append(os.Environ(), "TEST_SERVICE=1")
	service.ExtraFiles = sockets
	said, err := service.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return string(said)
}

func file(t *testing.T, l interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f, err := l.File()
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// nothingIsInherited looks at what a program of the service got.
func nothingIsInherited(t *testing.T, said string, sockets ...*os.File) {
	t.Helper()
	forbidden := []string{"LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "NOTIFY_SOCKET="}
	for _, socket := range sockets {
		inode, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", socket.Fd()))
		must(t, err)
		forbidden = append(forbidden, inode)
	}
	for _, text := range forbidden {
		if strings.Contains(said, text) {
			t.Errorf("a program of the service has %s:\n%s", text, said)
		}
	}
}

func TestService(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer tcp.Close()
	local, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	must(t, err)
	defer local.Close()
	at, socket := tcp.Addr().String(), file(t, tcp.(*net.TCPListener))
	for name, c := range map[string]struct {
		variables string
		sockets   []*os.File
		want      []string
	}{
		"nothing is given":      {"", nil, []string{"error <nil>\nready <nil>\nstopping <nil>\n"}},
		"a socket with a name":  {"LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=listen", []*os.File{socket}, []string{`"listen" at ` + at + "\n", "error <nil>\n"}},
		"two with names":        {"LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a:b", []*os.File{socket, socket}, []string{`"a" at ` + at + "\n", `"b" at ` + at + "\n"}},
		"without names":         {"LISTEN_PID=$$ LISTEN_FDS=1", []*os.File{socket}, []string{`"" at ` + at + "\n"}},
		"too few names":         {"LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a", []*os.File{socket, socket}, []string{`"" at ` + at + "\n"}},
		"for another process":   {"LISTEN_PID=1 LISTEN_FDS=1 LISTEN_FDNAMES=listen", nil, []string{"error <nil>\n"}},
		"no number":             {"LISTEN_PID=$$ LISTEN_FDS=x", nil, []string{`error LISTEN_FDS is "x"`}},
		"no socket":             {"LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=listen", nil, []string{"error socket 1 (listen) that systemd opened: "}},
		"a socket of no port":   {"LISTEN_PID=$$ LISTEN_FDS=1", []*os.File{file(t, local.(*net.UnixListener))}, []string{"is no address of TCP"}},
		"nobody to be told of":  {"NOTIFY_SOCKET=/nowhere/notify", nil, []string{"ready tell systemd READY=1: "}},
		"one that is not a TCP": {"LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a:b", []*os.File{socket, file(t, local.(*net.UnixListener))}, []string{"error socket 2 (b) that systemd opened"}},
	} {
		t.Run(name, func(t *testing.T) {
			said := started(t, c.variables, c.sockets...)
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("it says\n%s, want %q", said, want)
				}
			}
			nothingIsInherited(t, said, c.sockets...)
		})
	}
}

// Whoever waits to be told is told at a path and at a name without one.
func TestNews(t *testing.T) {
	for name, address := range map[string]string{"a path": filepath.Join(t.TempDir(), "notify"), "a name": "@slipway-test-" + filepath.Base(t.TempDir()) + fmt.Sprint(os.Getpid())} {
		t.Run(name, func(t *testing.T) {
			l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
			must(t, err)
			defer l.Close()
			if said := started(t, "NOTIFY_SOCKET="+address); !strings.Contains(said, "ready <nil>\nstopping <nil>\n") {
				t.Errorf("it says\n%s", said)
			}
			for _, want := range []string{"READY=1", "STOPPING=1"} {
				told := make([]byte, 100)
				n, err := l.Read(told)
				if must(t, err); string(told[:n]) != want {
					t.Errorf("told %q, want %q", told[:n], want)
				}
			}
		})
	}
}
