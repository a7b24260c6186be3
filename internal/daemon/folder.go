package daemon

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/secret"
	"github.com/slipwayhq/slipway/service"
	"github.com/slipwayhq/slipway/store/postgres"
	"github.com/slipwayhq/slipway/store/sqlite"
)

// ErrInUse means that another server has the folder of data.
var ErrInUse = errors.New("data folder is in use")

// lockFolder takes the folder for this process. The kernel gives it back when
// the process ends, however it ends.
func lockFolder(data string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(data, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if err = takeLock(f); err == nil {
		err = errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid())+"\n"))
	}
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("%w: the server with pid %d runs on %s; stop it, or give this one another folder with --data", ErrInUse, holderOf(f), data)
		return nil, errors.Join(err, f.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock data folder: %w", err), f.Close())
	}
	return f, nil
}

// bequest is how long a lock may outlive who took it: a child that was killed with
// its server, just before it became another program, has it until it does.
const bequest = 5 * time.Second

// takeLock waits for a holder that does not live any more, and for no other.
func takeLock(f *os.File) error {
	for end := time.Now().Add(bequest); ; time.Sleep(10 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || isAlive(holderOf(f)) || time.Now().After(end) {
			return err
		}
	}
}

// holderOf is the pid that a lock names, 0 for none.
func holderOf(f *os.File) int {
	text := make([]byte, 20)
	n, _ := f.ReadAt(text, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	return pid
}

// Holder is the pid of the server that runs on a folder of data, 0 for none.
func Holder(data string) int {
	f, err := os.Open(filepath.Join(data, "lock"))
	if err != nil {
		return 0
	}
	defer f.Close()
	if pid := holderOf(f); isAlive(pid) && syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil {
		return pid
	}
	return 0
}

// isAlive is not said of what ended and was not waited for: that has no arguments
// any more.
func isAlive(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && len(line) > 0
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// WriteKey writes a token to a file that only its owner may read; the file holds
// the old one or the new one, never half of either. The token "" removes it.
func WriteKey(path, token string) error {
	if token == "" {
		return os.Remove(path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(token)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// identity names the data plane of a folder in leases: the same after every
// start, and another than that of any server on the same database. It begins
// with the machine's name for the sake of people.
func identity(data string) (string, error) {
	path := filepath.Join(data, "identity")
	kept, err := os.ReadFile(path)
	if err == nil && len(kept) > 0 {
		return string(kept), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read identity: %w", err)
	}
	host, _ := os.Hostname()
	name := cmp.Or(host, "host") + "-" + strings.ToLower(rand.Text()[:12])
	if err := WriteKey(path, name); err != nil {
		return "", fmt.Errorf("keep identity: %w", err)
	}
	return name, nil
}

// openStore opens the database at a URL, or the one in the folder.
func openStore(ctx context.Context, data, url string) (slipway.Store, error) {
	if url != "" {
		return postgres.Open(ctx, url)
	}
	return sqlite.Open(ctx, databaseFile(data))
}

// NewAdminKey makes another key for the server of a folder and a database ("" for
// the one in the folder), running or not. Keep gets its token before it is good.
func NewAdminKey(ctx context.Context, data, url string, n slipway.NewKey, keep func(token string) error) error {
	if _, err := os.Stat(encryptionKey(data)); err != nil {
		return fmt.Errorf("%s holds no data of a server: %w", data, err)
	}
	if _, err := os.Stat(databaseFile(data)); url == "" && err != nil {
		return fmt.Errorf("%s holds no database; if the server has it elsewhere, give its --database-url: %w", data, err)
	}
	ring, err := secret.OpenFile(encryptionKey(data))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	store, err := openStore(ctx, data, url)
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	defer store.Close()
	return service.New(store, nil, nil, ring, service.Config{}).NewAdminKey(ctx, n, keep)
}
