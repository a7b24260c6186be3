package basetest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// layout is raised when a base's files are gathered differently.
const layout = "2"

// files returns the tar of a base's files, made unless it is there. Test
// processes that want the same wait for one to make it; what an older input made
// is removed.
func files(name, input string, gather func(rootfs) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "slipway-basetest")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(dir, name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	sum := sha256.Sum256([]byte(layout + input))
	tar := filepath.Join(dir, name+"-"+hex.EncodeToString(sum[:8])+".tar")
	if _, err := os.Stat(tar); err == nil {
		return tar, nil
	}
	old, _ := filepath.Glob(filepath.Join(dir, name+"-*"))
	for _, file := range old {
		err = errors.Join(err, os.RemoveAll(file))
	}
	return tar, errors.Join(err, pack(tar, gather))
}

func lock(name string) (unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { file.Close() }, nil
}

// pack gathers files beside their tar, which gets its name once it is whole.
func pack(tar string, gather func(rootfs) error) error {
	work := strings.TrimSuffix(tar, ".tar") + ".work"
	defer os.RemoveAll(work)
	root := filepath.Join(work, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := gather(rootfs(root)); err != nil {
		return err
	}
	made := filepath.Join(work, "made.tar")
	if err := command(exec.Command("tar", "-C", root, "--owner=0", "--group=0", "-cf", made, ".")); err != nil {
		return err
	}
	return os.Rename(made, tar)
}
