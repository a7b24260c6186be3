// Package redistest starts a Redis for a test, reached by a Unix socket, or at an
// address of this machine.
package redistest

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway/internal/testsignal"
)

// Start returns the address of a Redis that ends with the test: a socket.
func Start(t testing.TB) string {
	t.Helper()
	return start(t, "--port", "0")
}

// StartAt returns the address of one that listens at a host, at a port that is free.
func StartAt(t testing.TB, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	start(t, "--bind", host, "--port", port, "--protected-mode", "no")
	return "redis://" + net.JoinHostPort(host, port)
}

func start(t testing.TB, listens ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Redis")
	}
	program, err := find()
	if err != nil {
		t.Fatalf("%v: run scripts/prepare", err)
	}
	folder, err := os.MkdirTemp("", "slipway-redis-") // short: the socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o711); err != nil { // agents with users of their own come to the socket
		t.Fatal(err)
	}
	socket := filepath.Join(folder, "redis.sock")
	said := new(bytes.Buffer)
	cmd := &exec.Cmd{
		Path: program, Args: append([]string{"redis-server", "--unixsocket", socket, "--unixsocketperm", "777", "--save", "", "--dir", folder}, listens...),
		Stdout: said, Stderr: said, SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("redis said:\n%s", said)
		}
	})
	testsignal.Until(t, "a Redis", func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return "unix://" + socket
}

// find looks for Redis' one program, which is a server by its name: Debian's
// redis-tools has it without the service.
func find() (string, error) {
	if path, err := exec.LookPath("redis-server"); err == nil {
		return path, nil
	}
	return exec.LookPath("redis-check-rdb")
}

// Program is the path of a server, by the name that it goes by.
func Program(t testing.TB) string {
	t.Helper()
	found, err := find()
	if err != nil {
		t.Fatalf("%v: run scripts/prepare", err)
	}
	if filepath.Base(found) == "redis-server" {
		return found
	}
	folder, err := os.MkdirTemp("", "slipway-redis-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	named := filepath.Join(folder, "redis-server")
	if err := errors.Join(os.Chmod(folder, 0o711), os.Symlink(found, named)); err != nil { // users of agents come there
		t.Fatal(err)
	}
	return named
}
