package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/internal/confine"
)

// Users is a range of user numbers, both ends included, that are given to
// builds. Groups have the same numbers.
type Users struct{ First, Last int }

func (u Users) any() bool { return u != Users{} }

func (u Users) check() error {
	if u.any() && (u.First <= 0 || u.Last <= u.First) {
		return fmt.Errorf("users of builds %d-%d: want at least two, none of them root", u.First, u.Last)
	}
	return nil
}

// fetcher owns the caches.
func (u Users) fetcher() *confine.User { return user(u.First) }

func user(uid int) *confine.User { return &confine.User{UID: uid, GID: uid} }

// claims is where servers on one machine agree on who uses which user: a file
// each, locked for as long as a build runs.
const claims = "/run/slipway/build-users"

// claim is the sole use of a user.
type claim struct {
	user *confine.User
	lock *os.File
}

func (u Users) claim(uid int) (*claim, error) {
	if err := os.MkdirAll(claims, 0o700); err != nil {
		return nil, fmt.Errorf("claim a user: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(claims, strconv.Itoa(uid)), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("claim a user: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &claim{user(uid), f}, nil
}

// take claims a user for an app, of whom nothing runs.
func (u Users) take(ctx context.Context) (*claim, error) {
	for uid := u.First + 1; uid <= u.Last; uid++ {
		c, err := u.claim(uid)
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := c.clear(ctx); err != nil {
			return nil, errors.Join(err, c.lock.Close())
		}
		return c, nil
	}
	return nil, fmt.Errorf("every user of builds (%d to %d) runs one already", u.First+1, u.Last)
}

// clear kills all that the user runs.
func (c *claim) clear(ctx context.Context) error {
	if len(of(c.user.UID)) == 0 {
		return nil
	}
	if err := confine.KillUser(ctx, *c.user); err != nil {
		return fmt.Errorf("kill processes of user %d: %w", c.user.UID, err)
	}
	return untilGone(ctx, func() []int { return of(c.user.UID) })
}

// sweep kills what builds of a killed server still run. What runs under a user
// that is claimed is another server's.
func (u Users) sweep(ctx context.Context) error {
	if !u.any() {
		return nil
	}
	running := map[int]bool{}
	for _, pid := range processes() {
		for _, uid := range uids(pid) {
			running[uid] = running[uid] || uid > u.First && uid <= u.Last
		}
	}
	var errs []error
	for uid, runs := range running {
		if !runs {
			continue
		}
		c, err := u.claim(uid)
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue
		}
		if err == nil {
			err = errors.Join(c.clear(ctx), c.lock.Close())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// of lists the living processes of a user.
func of(uid int) []int {
	var pids []int
	for _, pid := range processes() {
		for _, u := range uids(pid) {
			if u == uid {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// uids are the real, the effective and the saved user of a process; none if it
// is dead.
func uids(pid int) []int {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return nil
	}
	var found []int
	for line := range bytes.Lines(status) {
		switch fields := bytes.Fields(line); {
		case len(fields) < 4:
		case string(fields[0]) == "Uid:":
			for _, field := range fields[1:4] {
				uid, _ := strconv.Atoi(string(field))
				found = append(found, uid)
			}
		}
		if bytes.HasPrefix(line, []byte("State:\tZ")) {
			return nil
		}
	}
	return found
}
