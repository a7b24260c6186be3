package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway/internal/durable"
)

// layout is the folder of a server.
type layout string

func (l layout) path(name string) string { return filepath.Join(string(l), name) }

func (l layout) data() string    { return l.path("data") }
func (l layout) run() string     { return l.path("run") }
func (l layout) conf() string    { return l.path("conf") }
func (l layout) log() string     { return l.path("log") }
func (l layout) pidFile() string { return filepath.Join(l.data(), "postmaster.pid") }

// making is a new name for a cluster that is being made: what made another one may
// be at work in it still.
func (l layout) making() string { return l.path(making + rand.Text()) }

const making = "making-"

// sweep removes clusters that were never finished, as far as it can.
func (l layout) sweep() {
	left, _ := filepath.Glob(l.path(making + "*"))
	for _, folder := range left {
		_ = os.RemoveAll(folder)
	}
}

// exists says whether there is a cluster.
func (l layout) exists() (bool, error) {
	_, err := os.Lstat(l.data())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// version of the cluster's data.
func (l layout) version() (int, error) {
	text, err := os.ReadFile(filepath.Join(l.data(), "PG_VERSION"))
	if err != nil {
		return 0, fmt.Errorf("look at the data of PostgreSQL: %w", err)
	}
	major, _, _ := strings.Cut(strings.TrimSpace(string(text)), ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return 0, fmt.Errorf("the data of PostgreSQL in %s has the version %q", l.data(), text)
	}
	return n, nil
}

// password returns the administrator's, made at the first call.
func (l layout) password() (string, error) {
	password, err := l.line("admin")
	if err != nil || password != "" {
		return password, err
	}
	password = rand.Text()
	return password, writeWhole(l.path("admin"), password+"\n", 0o600)
}

// keptPort is where the server has answered before; 0 if it never did.
func (l layout) keptPort() (int, error) {
	text, err := l.line("port")
	if err != nil || text == "" {
		return 0, err
	}
	return strconv.Atoi(text)
}

// keepPort keeps it for good.
func (l layout) keepPort(port int) error {
	if kept, err := l.keptPort(); err == nil && kept == port {
		return nil
	}
	return writeWhole(l.path("port"), strconv.Itoa(port)+"\n", 0o600)
}

// line is what a file holds, "" if there is none.
func (l layout) line(name string) (string, error) {
	text, err := os.ReadFile(l.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// writeWhole writes a file that is whole and on the disk, or as it was.
func writeWhole(path, content string, mode fs.FileMode) error {
	aside, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name())
	_, err = aside.WriteString(content)
	if err := errors.Join(err, aside.Chmod(mode), aside.Sync(), aside.Close()); err != nil {
		return err
	}
	if err := os.Rename(aside.Name(), path); err != nil {
		return err
	}
	return durable.Sync(filepath.Dir(path))
}
