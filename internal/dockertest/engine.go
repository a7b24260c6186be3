package dockertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// prefix begins the names of folders that engines have.
const prefix = "slipway-docker-"

// Engine is a Docker Engine that runs for tests.
type Engine struct {
	dir     string // short: the socket lies in it
	place   *place
	without []string // flags
	apart   bool     // it has a network of its own
	daemon  *exec.Cmd
	ended   chan struct{} // closed when the daemon has ended
	watcher *exec.Cmd
	alive   io.Closer // the watcher's standard input
}

// shared is the engine of this process; it ends with the process.
var shared = sync.OnceValues(func() (*Engine, error) {
	e := &Engine{}
	return e, e.start()
})

// Shared returns the engine that the tests of this process share. What a test
// makes in it is the test's to name apart and to remove.
func Shared(t testing.TB) *Engine {
	t.Helper()
	skipShort(t)
	e, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Start starts an engine that the test may stop and start; it is removed with
// all it made when the test ends. It goes without the flags that are named.
func Start(t testing.TB, without ...string) *Engine {
	t.Helper()
	skipShort(t)
	return begun(t, &Engine{without: without})
}

// StartApart starts an engine that has a network for itself, and so may use
// iptables as engines do: only by [Engine.Enter] its ports are reached.
func StartApart(t testing.TB) *Engine {
	t.Helper()
	skipShort(t)
	return begun(t, &Engine{apart: true, without: []string{"--iptables", "--bridge", "--default-address-pool"}})
}

func begun(t testing.TB, e *Engine) *Engine {
	t.Helper()
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	return e
}

// skipShort leaves tests out of make test-fast, which needs no engine.
func skipShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Docker Engine")
	}
}

func (e *Engine) start() (err error) {
	if err := possible(); err != nil {
		return err
	}
	if e.place, err = take(); err != nil {
		return err
	}
	if e.dir, err = os.MkdirTemp("", prefix); err != nil {
		e.place.lock.Close()
		return err
	}
	if err := e.begin(); err != nil {
		e.close()
		return fmt.Errorf("start a Docker Engine for tests in %s: %w", e.dir, err)
	}
	return nil
}

func possible() error {
	for _, program := range []string{daemon, "iptables", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: run scripts/prepare, or install Docker Engine, iptables and iproute2 with your system's packages; the engine need not run", err)
		}
	}
	if os.Getuid() != 0 {
		return errors.New("a Docker Engine for tests needs root: run these tests as root, or leave them out with -short")
	}
	return nil
}

// begin starts the watcher as soon as there is something to remove.
func (e *Engine) begin() (err error) {
	e.watcher = e.place.remover(e.dir, "wait")
	if e.alive, err = e.watcher.StdinPipe(); err != nil {
		return err
	}
	if err := e.watcher.Start(); err != nil {
		return err
	}
	if err := e.place.settle(e.dir); err != nil {
		return err
	}
	if err := os.WriteFile(e.path("daemon.json"), []byte("{}"), 0o600); err != nil {
		return err
	}
	return e.Up()
}

func (e *Engine) path(name string) string { return filepath.Join(e.dir, name) }

// Up starts the engine after Down, and returns when it answers. What it
// held is there again.
func (e *Engine) Up() error {
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: e.path("notify")})
	if err != nil {
		return err
	}
	defer os.Remove(e.path("notify"))
	defer ready.Close()
	log, err := os.OpenFile(e.path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	e.daemon = e.command()
	e.daemon.Stdout, e.daemon.Stderr = log, log
	if err := e.daemon.Start(); err != nil {
		return err
	}
	e.ended = make(chan struct{})
	go func(daemon *exec.Cmd, ended chan struct{}) {
		_ = daemon.Wait()
		ready.Close()
		close(ended)
	}(e.daemon, e.ended)
	return e.await(ready)
}

// command is the engine's. Its folder tells its processes from those of others.
func (e *Engine) command() *exec.Cmd {
	flags := slices.DeleteFunc([]string{
		"--host=" + e.Host(), "--config-file=" + e.path("daemon.json"),
		"--data-root=" + e.path("data"), "--exec-root=" + e.path("exec"), "--pidfile=" + e.path("pid"),
		"--bridge=" + e.place.name(), "--default-address-pool=base=" + e.place.networks() + ",size=28",
		"--iptables=false", "--ip6tables=false", "--cgroup-parent=/" + e.place.name(), "--live-restore",
	}, e.isWithout)
	cmd := exec.Command(daemon, flags...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if e.apart {
		cmd = exec.Command("/bin/sh", append([]string{"-c", `ip link set lo up && exec "$0" "$@"`, daemon}, flags...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWNET}
	}
	cmd.Dir = e.dir
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+e.path("notify"))
	cmd.ExtraFiles = []*os.File{e.place.lock}
	return cmd
}

func (e *Engine) isWithout(flag string) bool {
	name, _, _ := strings.Cut(flag, "=")
	return slices.Contains(e.without, name)
}

// daemon is found in PATH, and so are its helpers: another engine than the
// system's is tried by putting its folder first.
const daemon = "dockerd"

// await returns when the engine says that it is ready.
func (e *Engine) await(ready *net.UnixConn) error {
	said := make([]byte, 4096)
	for {
		n, err := ready.Read(said)
		if err != nil {
			log, _ := os.ReadFile(e.path("log"))
			return fmt.Errorf("dockerd ended: %s\n%s", e.daemon.ProcessState, tail(log))
		}
		if strings.Contains(string(said[:n]), "READY=1") {
			return nil
		}
	}
}

func tail(log []byte) []byte { return bytes.TrimSpace(log[max(0, len(log)-4000):]) }

// Down stops the engine. Containers go on running.
func (e *Engine) Down() {
	_ = e.daemon.Process.Signal(syscall.SIGTERM)
	<-e.ended
}

func (e *Engine) close() {
	if e.alive != nil {
		_ = e.alive.Close()
		_ = e.watcher.Wait()
	}
	_ = e.place.lock.Close()
}

// Host is where the engine is reached, as DOCKER_HOST wants it.
func (e *Engine) Host() string { return "unix://" + e.path("docker.sock") }

// Enter does something in the network of a process, 0 for the engine's own.
func (e *Engine) Enter(pid int, do func() error) error {
	if pid == 0 {
		pid = e.daemon.Process.Pid
	}
	network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	defer network.Close()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with this function
		err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// Volume is where a volume lies on this machine.
func (e *Engine) Volume(name string) string { return e.path("data/volumes/" + name + "/_data") }

// Client returns a client of the engine, closed when the test ends.
func (e *Engine) Client(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.New(client.WithHost(e.Host()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Environ returns this process's environment for a command that is to use the
// engine, with a configuration of its own that no login outlives.
func (e *Engine) Environ(t testing.TB) []string {
	return append(os.Environ(), "DOCKER_HOST="+e.Host(), "DOCKER_CONFIG="+t.TempDir())
}
