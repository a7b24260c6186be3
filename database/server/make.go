package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/slipwayhq/slipway/database/programs"
	"github.com/slipwayhq/slipway/internal/confine"
	"github.com/slipwayhq/slipway/internal/durable"
)

// newLocale is that of versions which bring their own: it needs nothing of the
// machine, and sorts the same on all.
const newLocale = 17

// make makes the cluster aside and puts it in its place.
func (s *Server) make(ctx context.Context, p programs.Programs) error {
	password, err := s.password()
	if err != nil {
		return err
	}
	as, err := s.maker()
	if err != nil {
		return err
	}
	s.sweep()
	defer s.sweep()
	folder := s.making()
	made, file := filepath.Join(folder, "data"), filepath.Join(folder, "password")
	err = os.Mkdir(folder, 0o700)
	if err == nil {
		err = os.WriteFile(file, []byte(password+"\n"), 0o600)
	}
	if err == nil {
		err = give(folder, as)
	}
	if err == nil {
		err = s.initdb(ctx, p, made, file, as)
	}
	if err == nil {
		err = give(made, s.config.User)
	}
	if err == nil {
		err = os.Rename(made, s.data())
	}
	if err == nil {
		err = durable.Sync(string(s.layout))
	}
	return err
}

// maker is who makes the cluster: initdb refuses to be somebody without a name,
// which the user that it will run as may be. Nothing of who made it is kept.
func (s *Server) maker() (*confine.User, error) {
	if s.config.User == nil {
		return nil, nil
	}
	if _, err := user.LookupId(strconv.Itoa(s.config.User.UID)); err == nil {
		return s.config.User, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("make a PostgreSQL: %w; user %d needs a name then", err, s.config.User.UID)
	}
	uid, err1 := strconv.Atoi(nobody.Uid)
	gid, err2 := strconv.Atoi(nobody.Gid)
	return &confine.User{UID: uid, GID: gid}, errors.Join(err1, err2)
}

// give makes a folder with all that is in it a user's, unless it is already. It
// comes last, so that one which is begun is gone through again.
func give(folder string, u *confine.User) error {
	info, err := os.Lstat(folder)
	if err != nil || u == nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) == u.UID {
		return nil
	}
	err = filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		return os.Lchown(path, u.UID, u.GID)
	})
	if err != nil {
		return err
	}
	return os.Lchown(folder, u.UID, u.GID)
}

// reason is what initdb says of an error, or all that it says.
func reason(said string) string {
	if at := strings.Index(said, "initdb: error:"); at >= 0 {
		said = said[at:]
	}
	return strings.TrimSpace(said)
}

func (s *Server) initdb(ctx context.Context, p programs.Programs, made, password string, as *confine.User) error {
	args := []string{
		p.Path(programs.Initdb), "--pgdata=" + made, "--username=" + admin, "--pwfile=" + password,
		"--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums", "--lc-messages=C", "--no-instructions",
	}
	if p.Major >= newLocale {
		args = append(args, "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
	} else {
		args = append(args, "--locale=C.UTF-8")
	}
	var said bytes.Buffer
	cmd := &exec.Cmd{Stdout: &said, Stderr: &said}
	policy := s.policy(p, as, filepath.Dir(made))
	policy.Args = args
	child, err := policy.Start(ctx, cmd)
	if err != nil {
		return s.unconfined(err)
	}
	stop := context.AfterFunc(ctx, func() { child.Process.Kill() })
	defer stop()
	if err := child.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return s.full(fmt.Errorf("make a PostgreSQL: initdb: %w: %s", err, reason(said.String())))
	}
	return nil
}
