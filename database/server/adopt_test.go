package server

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// A lock that names somebody who is not in the folder is removed; one of nobody
// PostgreSQL sees through itself.
func TestUnlock(t *testing.T) {
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pid   int
		stays bool
	}{"another": {os.Getpid(), false}, "nobody": {ended.Process.Pid, true}} {
		s := newServer(t)
		socket := filepath.Join(s.run(), ".s.PGSQL.15432.lock")
		for _, file := range []string{s.pidFile(), socket} {
			lock(t, file, c.pid)
		}
		if p, err := s.adopt(t.Context()); p != nil || err != nil {
			t.Errorf("%s: adopted %v, %v", name, p, err)
		}
		for _, file := range []string{s.pidFile(), socket} {
			if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) == c.stays {
				t.Errorf("%s: %s: %v", name, file, err)
			}
		}
	}
}

// Who is in the folder without the first process is waited for, and ended if need
// be.
func TestOrphans(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	orphan := exec.Command("sleep", "1000")
	orphan.Dir = s.data()
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- orphan.Wait() }()
	lock(t, s.pidFile(), 1<<22+1) // more than there can be
	if p, err := s.adopt(t.Context()); p != nil || err != nil {
		t.Errorf("adopted %v, %v", p, err)
	}
	if err := <-gone; err == nil || err.Error() != "signal: killed" {
		t.Errorf("the orphan: %v", err)
	}
}

// Only the process that the lock names is adopted.
func TestAdopts(t *testing.T) {
	s := newServer(t)
	first := exec.Command("sleep", "1000")
	first.Dir = s.data()
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Process.Kill(); _ = first.Wait() }()
	lock(t, s.pidFile(), first.Process.Pid)
	p, err := s.adopt(t.Context())
	if err != nil || p == nil || p.pid != first.Process.Pid {
		t.Fatalf("adopted %v, %v", p, err)
	}
	p.close()
}

func newServer(t *testing.T) *Server {
	t.Helper()
	s := &Server{layout: layout(t.TempDir())}
	for _, folder := range []string{s.data(), s.run()} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func lock(t *testing.T, file string, pid int) {
	t.Helper()
	if err := os.WriteFile(file, []byte(strconv.Itoa(pid)+"\n/data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What PostgreSQL says is bounded, and its last words are those of this start.
func TestOutput(t *testing.T) {
	s := newServer(t)
	write := func(size int, end string) {
		t.Helper()
		if err := os.WriteFile(s.log(), append(make([]byte, size), end...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(0, "an earlier start\nthe end\n")
	s.said = int64(len("an earlier start\n"))
	if words := s.lastWords(); words != "the end" {
		t.Errorf("said %q", words)
	}
	write(mostOutput/2, "x")
	if err := s.trim(); err != nil {
		t.Fatal(err)
	}
	now, err1 := os.Stat(s.log())
	old, err2 := os.Stat(s.log() + ".old")
	if err := errors.Join(err1, err2); err != nil || now.Size() != 0 || old.Size() != mostOutput/2 {
		t.Errorf("%v, %v, %v", now, old, err)
	}
	if words := s.lastWords(); words != "" {
		t.Errorf("said %q", words)
	}
}
