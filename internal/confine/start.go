package confine

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childEnv is the environment of a child and of what wraps it: nothing that the
// program gets, which could mean something to them.
var childEnv = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GOMAXPROCS=1", "GOGC=off"}

// Child is a program that was started.
type Child struct {
	*exec.Cmd
	socket *os.File
}

// Start runs a program under a policy. Of the command, only how its input,
// output and end are handled counts; program, arguments, environment and folder
// are the policy's. A wrapper is a program with arguments that is started in
// its place, with the rest appended as the program that it is to run.
//
// It returns once the policy is applied. An *Error says that it could not be,
// or that there is no such program.
func (p Policy) Start(ctx context.Context, cmd *exec.Cmd, wrapper ...string) (*Child, error) {
	return order{Policy: p}.start(ctx, cmd, wrapper)
}

// KillUser kills every process of a user, at once: none can get away by making
// others.
func KillUser(ctx context.Context, u User) error {
	c, err := order{Policy: Policy{User: &u}, Slay: true}.start(ctx, &exec.Cmd{}, nil)
	if err != nil {
		return err
	}
	return c.Wait()
}

func (o order) start(ctx context.Context, cmd *exec.Cmd, wrapper []string) (*Child, error) {
	ours, theirs, err := sockets()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	c := &Child{cmd, ours}
	if err := c.be(theirs, wrapper); err != nil {
		return nil, errors.Join(err, c.socket.Close())
	}
	groups, err := o.enter(c, len(wrapper) > 0)
	defer closeAll(groups)
	if err != nil {
		return nil, errors.Join(err, c.socket.Close())
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", cmd.Args[0], err), c.socket.Close())
	}
	theirs.Close()
	stop := context.AfterFunc(ctx, func() { c.socket.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := c.hand(o); err != nil {
		cmd.Process.Kill()
		return nil, c.never(ctx, err)
	}
	return c, nil
}

// sockets makes a pair. What is done with ours can have a deadline.
func sockets() (ours, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket: %w", err)
	}
	theirs = os.NewFile(uintptr(pair[1]), "theirs")
	if err := unix.SetNonblock(pair[0], true); err != nil {
		unix.Close(pair[0])
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return os.NewFile(uintptr(pair[0]), "ours"), theirs, nil
}

// enter prepares the child's way into its groups. Their files are opened here:
// what wraps the child may see others. It returns all that is open for it.
func (o *order) enter(c *Child, wrapped bool) (open []*os.File, err error) {
	join, born := o.Policy.Join, o.Policy.Born
	if born != "" && (wrapped || !canBear()) {
		join, born = append(slices.Clone(join), filepath.Join(born, "cgroup.procs")), ""
	}
	if born != "" {
		folder, err := os.Open(born)
		if err != nil {
			return nil, failed("join "+born, err)
		}
		open = append(open, folder)
		c.bornIn(folder)
	}
	for _, file := range join {
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return open, failed("join "+file, err)
		}
		open, c.ExtraFiles, o.Joins = append(open, f), append(c.ExtraFiles, f), o.Joins+1
	}
	return open, nil
}

func (c *Child) bornIn(group *os.File) {
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.SysProcAttr.UseCgroupFD, c.SysProcAttr.CgroupFD = true, int(group.Fd())
}

// closeAll closes files.
func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// be makes the command this binary, wrapped.
func (c *Child) be(socket *os.File, wrapper []string) error {
	c.ExtraFiles = append(c.ExtraFiles, socket)
	self := "/proc/self/exe"
	if len(wrapper) > 0 { // which would be the wrapper's
		var err error
		if self, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
	}
	c.Args = append(append([]string{}, wrapper...), self, marker, strconv.Itoa(2+len(c.ExtraFiles)))
	path, err := exec.LookPath(c.Args[0])
	if err != nil {
		return err
	}
	c.Path, c.Err, c.Env, c.Dir = path, nil, childEnv, "/"
	return nil
}

// hand sends the policy and waits until it is applied.
func (c *Child) hand(o order) error {
	if err := gob.NewEncoder(c.socket).Encode(o); err != nil {
		return c.reason(err)
	}
	var first [1]byte
	if _, err := io.ReadFull(c.socket, first[:]); err != nil {
		return c.deaf(err)
	}
	if first[0] == begun {
		return nil
	}
	return told(io.MultiReader(bytes.NewReader(first[:]), c.socket))
}

func (c *Child) deaf(err error) error {
	return fmt.Errorf("%s did not run what it was given: %w", c.Args[0], err)
}

// reason prefers what the child said to a broken pipe.
func (c *Child) reason(err error) error {
	if said := told(c.socket); said != nil {
		return said
	}
	return c.deaf(err)
}

// told reads why a program was never begun; nil if that was not told.
func told(r io.Reader) error {
	text, _ := io.ReadAll(io.LimitReader(r, 4<<10))
	number, doing, ok := strings.Cut(string(text), " ")
	errno, err := strconv.Atoi(number)
	if !ok || err != nil {
		return nil
	}
	return &Error{doing, syscall.Errno(errno)}
}

// never clears away a child that did not become the program.
func (c *Child) never(ctx context.Context, err error) error {
	c.Cmd.Wait()
	c.socket.Close()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Executed waits until the program runs in the place of the child. An *Error
// says that it could not be begun; then the child has ended, and is still to be
// reaped. Nothing is held for the child any more: it is the caller's to wait for.
func (c *Child) Executed() error {
	defer c.socket.Close()
	return told(c.socket)
}

// Wait is that of exec.Cmd. An *Error says that the program could not be begun
// after all.
func (c *Child) Wait() error {
	err := c.Cmd.Wait()
	defer c.socket.Close()
	if said := told(bytes.NewReader(c.arrived())); said != nil {
		return said
	}
	return err
}

// arrived is what the child has said so far.
func (c *Child) arrived() []byte {
	conn, err := c.socket.SyscallConn()
	if err != nil {
		return nil
	}
	buffer, n := make([]byte, 4<<10), 0
	conn.Read(func(fd uintptr) bool {
		n, _ = unix.Read(int(fd), buffer)
		return true
	})
	return buffer[:max(0, n)]
}
