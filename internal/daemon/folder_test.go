package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// hold takes the lock of a folder in the name of a process.
func hold(t *testing.T, data string, pid int) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(data, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_EX), writeAt(f, fmt.Sprintln(pid)))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// nobody is a pid that no process can have.
const nobody = 1 << 30

// A folder is not taken from a server that lives, and a lock that outlives its
// server is waited for: a while.
func TestLockFolder(t *testing.T) {
	for name, c := range map[string]struct {
		holder int
		lets   time.Duration // go after
		want   error
		waits  time.Duration
	}{
		"of one that lives":          {holder: os.Getppid(), lets: time.Second, want: ErrInUse},
		"of one that was killed":     {holder: nobody, lets: time.Second, waits: time.Second},
		"of one that nobody ends":    {holder: nobody, lets: time.Hour, want: ErrInUse, waits: bequest},
		"of one that wrote no name":  {lets: time.Second, waits: time.Second},
		"of nobody: it is as it was": {holder: nobody},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			held := hold(t, data, c.holder)
			synctest.Test(t, func(t *testing.T) {
				if c.lets == 0 {
					held.Close()
				}
				let := time.AfterFunc(c.lets, func() { held.Close() })
				defer let.Stop()
				began := time.Now()
				f, err := lockFolder(data)
				if !errors.Is(err, c.want) || (f == nil) != (c.want != nil) {
					t.Fatalf("lockFolder = %v, %v, want %v", f, err, c.want)
				}
				if waited := time.Since(began); waited < c.waits || waited > c.waits+time.Second {
					t.Errorf("it took %v, want %v", waited, c.waits)
				}
				if f == nil {
					return
				}
				defer f.Close()
				if pid := holderOf(f); pid != os.Getpid() {
					t.Errorf("the lock names %d", pid)
				}
			})
		})
	}
}

// Who has a folder is told to others, as long as he has it.
func TestHolder(t *testing.T) {
	data := t.TempDir()
	if pid := Holder(data); pid != 0 {
		t.Errorf("of an empty folder: %d", pid)
	}
	f := hold(t, data, os.Getppid())
	if pid := Holder(data); pid != os.Getppid() {
		t.Errorf("while it is held: %d", pid)
	}
	f.Close()
	if pid := Holder(data); pid != 0 {
		t.Errorf("of one that let go: %d", pid)
	}
}
