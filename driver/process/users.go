package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/process/internal/procfs"
	"github.com/slipwayhq/slipway/internal/confine"
	"github.com/slipwayhq/slipway/internal/removal"
)

// Users is a range of user numbers, both ends included, of which each
// deployment gets one for good. Groups have the same numbers. The zero value
// has agents run as the server's own user.
type Users struct{ First, Last int }

func (u Users) any() bool { return u != Users{} }

// UsersTaken is where the servers of one machine agree on who has which user: a
// link a number, to the folder of the deployment.
const UsersTaken = "/var/lib/slipway/agent-users"

// checkUsers tries to become somebody, so that a machine that does not let us
// says so at the start of the server.
func (d *Driver) checkUsers() error {
	u := d.walls.Users
	if !u.any() || os.Geteuid() != 0 {
		d.walls.Users = Users{} // nobody else can be become
		return nil
	}
	if u.First <= 0 || u.Last < u.First {
		return fmt.Errorf("users of agents %d-%d: want a range without root", u.First, u.Last)
	}
	if err := os.MkdirAll(d.walls.Taken, 0o700); err != nil {
		return fmt.Errorf("keep account of the users of agents: %w", err)
	}
	p := confine.Policy{User: user(u.First), Hide: []string{d.root}}
	if err := become(d.alive, p); err != nil {
		return fmt.Errorf("agents can not run as users of their own: %w; --agent-uids none runs all of them as root", err)
	}
	return nil
}

func user(uid int) *confine.User { return &confine.User{UID: uid, GID: uid} }

// userOf is who runs the agents of a deployment, nil for the server's own user.
// It is the same for ever, and nobody else's until all that the deployment has
// left is gone.
func (d *Driver) userOf(id slipway.DeploymentID) (*confine.User, error) {
	if !d.walls.Users.any() {
		return nil, nil
	}
	d.usersMu.Lock()
	defer d.usersMu.Unlock()
	folder := d.deploymentFolder(id)
	taken, err := d.readUsers()
	if err != nil {
		return nil, err
	}
	for uid, owner := range taken {
		if owner == folder {
			return user(uid), nil
		}
	}
	uid, err := d.takeUser(folder, taken)
	if err != nil {
		return nil, err
	}
	return user(uid), nil
}

func (d *Driver) readUsers() (map[int]string, error) {
	entries, err := os.ReadDir(d.walls.Taken)
	if err != nil {
		return nil, fmt.Errorf("look who has which user: %w", err)
	}
	taken := make(map[int]string, len(entries))
	for _, entry := range entries {
		uid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if taken[uid], err = os.Readlink(filepath.Join(d.walls.Taken, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look who has user %d: %w", uid, err)
		}
	}
	return taken, nil
}

// takeUser prefers a number that nobody has. Only when there is none, it takes
// one from a deployment whose folder is gone without a word: a disk that is not
// mounted looks the same.
func (d *Driver) takeUser(folder string, taken map[int]string) (int, error) {
	for _, reuse := range []bool{false, true} {
		for uid := d.walls.Users.First; uid <= d.walls.Users.Last; uid++ {
			owner, has := taken[uid]
			if has != reuse {
				continue
			}
			if reuse && !abandoned(uid, owner) {
				continue
			}
			link := d.userLink(uid)
			if reuse && os.Remove(link) != nil {
				continue
			}
			switch err := os.Symlink(folder, link); {
			case err == nil:
				return uid, nil
			case !errors.Is(err, fs.ErrExist): // another server may have been faster
				return 0, fmt.Errorf("take user %d: %w", uid, err)
			}
		}
	}
	return 0, &slipway.Failure{
		Phase: slipway.PhaseDeploy, Step: "start", Code: "no_user",
		Message: fmt.Sprintf("Every user for agents (%d to %d) has a deployment.", d.walls.Users.First, d.walls.Users.Last),
		Hint:    "Give the server a wider range by --agent-uids.",
	}
}

// abandoned says whether nothing is left of a deployment and nothing runs as
// its user.
func abandoned(uid int, folder string) bool {
	for _, path := range []string{folder, purgedFolder(folder)} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	pids, err := procfs.PIDs()
	for _, pid := range pids {
		if info, err := os.Stat("/proc/" + strconv.Itoa(pid)); err == nil && ownerOf(info) == uid {
			return false
		}
	}
	return err == nil
}

// freeUser gives the user of a deployment back, of which nothing is left but
// what the user has in shared memory: it goes first, or the next one would have
// it.
func (d *Driver) freeUser(id slipway.DeploymentID) error {
	if !d.walls.Users.any() {
		return nil
	}
	d.usersMu.Lock()
	defer d.usersMu.Unlock()
	taken, err := d.readUsers()
	for uid, owner := range taken {
		if owner != d.deploymentFolder(id) {
			continue
		}
		for _, path := range ownedBy(uid) {
			err = errors.Join(err, removal.Tree(path))
		}
		if err == nil {
			err = os.Remove(d.userLink(uid))
		}
	}
	return err
}

// give makes a folder with all that is in it a user's, unless it is already. It
// comes last, so that one which is begun is gone through again.
func give(folder string, u *confine.User) error {
	info, err := os.Lstat(folder)
	if err != nil || u == nil || ownerOf(info) == u.UID {
		return err
	}
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		info, err := entry.Info()
		if err != nil || borrowed(info) {
			return err
		}
		return os.Lchown(path, u.UID, u.GID)
	})
	if err != nil {
		return err
	}
	return os.Lchown(folder, u.UID, u.GID)
}

func ownerOf(info fs.FileInfo) int {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1
	}
	return int(stat.Uid)
}

// borrowed says whether a file of root's has other names, and so may be one that
// an agent took from elsewhere by a hard link while it was root.
func borrowed(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0 && stat.Nlink > 1 && info.Mode().IsRegular()
}
