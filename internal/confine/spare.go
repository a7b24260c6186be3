package confine

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Spare is a child that was started ahead: it starts one program sooner than a
// child can that is yet to be started. It ends when who started it does, however
// that ends.
type Spare struct{ child Child }

// ErrGone says that a spare had ended before it was told anything to the end.
var ErrGone = errors.New("the spare has ended")

// StandBy starts a spare, and returns when it waits for its policy. It is
// errors.ErrUnsupported where a spare could not do all that a child can.
func StandBy(ctx context.Context) (*Spare, error) {
	if !canBear() {
		return nil, errors.ErrUnsupported
	}
	ours, theirs, err := sockets()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	s := &Spare{Child{&exec.Cmd{SysProcAttr: &syscall.SysProcAttr{Setsid: true}}, ours}}
	if err := s.child.be(theirs, nil); err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	s.child.Args = append(s.child.Args, spare)
	if err := s.child.Cmd.Start(); err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	theirs.Close()
	stop := context.AfterFunc(ctx, s.kill)
	defer stop()
	if _, err := io.ReadFull(ours, make([]byte, 1)); err != nil {
		s.End()
		return nil, errors.Join(ErrGone, context.Cause(ctx))
	}
	return s, nil
}

func (s *Spare) kill() { s.child.Process.Kill() }

// Wait returns when the spare has ended: soon after Start has begun.
func (s *Spare) Wait() error { return s.child.Cmd.Wait() }

// End ends a spare that is not needed.
func (s *Spare) End() {
	s.child.socket.Close()
	s.Wait()
}

// Start starts a program under a policy, in a session of its own, and returns
// its process, which is a child of ours that nobody else waits for. The program
// writes to output. Held stays open until the program runs, or never will: even
// if this process ends meanwhile.
//
// An *Error is what that of Policy.Start is. At ErrGone, nothing was started.
func (s *Spare) Start(ctx context.Context, p Policy, output, held *os.File) (pid int, err error) {
	defer s.child.socket.Close()
	if p.Supervised {
		return 0, errors.New("a spare does not supervise")
	}
	stop := context.AfterFunc(ctx, s.kill)
	defer stop()
	if err := s.send(p, output, held); err != nil {
		s.kill()
	}
	// To the end: then the program runs or does not, and who began it is known.
	said, _ := io.ReadAll(s.child.socket)
	pid, err = heard(said)
	if errors.Is(err, ErrGone) && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return pid, err
}

// send passes the files on with a first byte, and the policy after it.
func (s *Spare) send(p Policy, files ...*os.File) error {
	conn, err := s.child.socket.SyscallConn()
	if err != nil {
		return err
	}
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	var sent error
	err = conn.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), []byte{begun}, unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL)
		return sent != unix.EAGAIN
	})
	if err := errors.Join(err, sent); err != nil {
		return err
	}
	return gob.NewEncoder(s.child.socket).Encode(p)
}

// heard understands all that was said about a program.
func heard(said []byte) (pid int, err error) {
	if len(said) < whoSaid || said[0] != begun {
		if err := told(bytes.NewReader(said)); err != nil {
			return 0, err
		}
		return 0, ErrGone
	}
	pid = int(binary.NativeEndian.Uint32(said[1:]))
	if len(said) < whySaid {
		return pid, nil
	}
	unix.Wait4(pid, nil, 0, nil)
	return 0, &Error{string(said[whySaid:]), syscall.Errno(binary.NativeEndian.Uint32(said[whoSaid:]))}
}

// standBy is the life of a spare. It returns only with why a program could not be
// started.
func standBy(socket *os.File) error {
	socket.Write([]byte{begun})
	output, err := receive(int(socket.Fd()))
	if err != nil {
		os.Exit(0) // who started it has ended, or has no need of it
	}
	var p Policy
	if err := gob.NewDecoder(socket).Decode(&p); err != nil {
		return err
	}
	group, err := p.joinAll()
	if err != nil {
		return err
	}
	for fd := 1; fd <= 2; fd++ {
		if err := unix.Dup3(output, fd, 0); err != nil {
			return failed("open the output", err)
		}
	}
	program, err := p.program()
	if err != nil {
		return err
	}
	if errno := program.fork(group, int(socket.Fd())); errno != 0 {
		return failed(program.starting, errno)
	}
	// Who hears the last of this process finds none of it at the program's output.
	for _, f := range []*os.File{os.Stdout, os.Stderr, socket} {
		f.Close()
	}
	os.Exit(0)
	return nil
}

// receive returns the file to write to. What else came stays open.
func receive(socket int) (output int, err error) {
	first, control := make([]byte, 1), make([]byte, unix.CmsgSpace(2*4))
	n, m, _, _, err := unix.Recvmsg(socket, first, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:m])
	if n == 0 || err != nil || len(messages) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	files, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return 0, err
	}
	return files[0], nil
}

// joinAll joins the groups of version 1, and opens that of version 2, -1 if there
// is none.
func (p *Policy) joinAll() (group int, err error) {
	for _, file := range p.Join {
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString("0")
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return 0, failed("join "+file, err)
		}
	}
	if p.Born == "" {
		return -1, nil
	}
	group, err = unix.Open(p.Born, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return group, failed("join "+p.Born, err)
}
