package database

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/database/programs"
)

// run runs a program of PostgreSQL's on a database, with a stream in or out. The
// password is in a file without a name, which only the program has open: other
// processes of our user could read its variables.
func (k keeper) run(ctx context.Context, program, database string, args []string, in io.Reader, out io.Writer) error {
	file, err := passwordFile(k.password)
	if err != nil {
		return err
	}
	defer file.Close()
	input, output, said := &source{r: in}, &sink{w: out}, &tail{}
	cmd := exec.CommandContext(ctx, k.programs.Path(program), append(args, "--no-password", "--dbname="+address(k.at.Here, k.name, "", database))...)
	cmd.Env = []string{"PATH=" + k.programs.Bin + ":/usr/bin:/bin", "LC_ALL=C", "PGPASSFILE=/proc/self/fd/3", "PGAPPNAME=slipway " + program}
	cmd.ExtraFiles = []*os.File{file}
	cmd.Stderr = said
	if in != nil {
		cmd.Stdin = input
	}
	if out != nil {
		cmd.Stdout = output
	}
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case input.err != nil:
		return fmt.Errorf("read the dump: %w", input.err)
	case output.err != nil:
		return fmt.Errorf("write the dump: %w", output.err)
	case err != nil:
		return k.refused(program, err, said.String())
	}
	return nil
}

// refused is final for a dump that can not be read.
func (k keeper) refused(program string, err error, said string) error {
	if said == "" {
		said = err.Error()
	}
	if _, ended := errors.AsType[*exec.ExitError](err); ended && program == programs.Restore && !unreachable(said) {
		return failed("dump_refused", "A dump is read by programs of the version that wrote it, or later, on a server likewise: here are those of "+k.programs.String()+".",
			"The dump can not be read; the database is as it was. %s", said)
	}
	return fmt.Errorf("%s: %s", program, said)
}

// unreachable says whether it is the connection that failed, by what libpq says
// of it in the C locale.
func unreachable(said string) bool {
	for _, words := range []string{"connection to server", "server closed the connection", "terminating connection", "No space left on device"} {
		if strings.Contains(said, words) {
			return true
		}
	}
	return false
}

// passwordFile has the form that libpq reads, for every server and user.
func passwordFile(password string) (*os.File, error) {
	fd, err := unix.MemfdCreate("password", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file without a name: %w", err)
	}
	file := os.NewFile(uintptr(fd), "password")
	escaped := strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(password)
	if _, err := fmt.Fprintf(file, "*:*:*:*:%s\n", escaped); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := file.Chmod(0o600); err != nil { // else it is not read
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// source keeps errors of what is read apart from those of the program.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// sink keeps errors of what is written apart from those of the program.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}

// mostSaid is as much as is kept of what a program says of an error.
const mostSaid = 2 << 10

// tail keeps the end of what is written to it.
type tail struct{ last []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.last = append(t.last, p...)
	if over := len(t.last) - mostSaid; over > 0 {
		t.last = t.last[over:]
	}
	return len(p), nil
}

func (t *tail) String() string { return string(bytes.TrimSpace(t.last)) }
