package python

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/build/kind/internal/shelf"
)

// Launcher is the program that runs the agents of a kind: its own files, and
// those that all kinds share.
type Launcher struct {
	kind  string
	own   embed.FS
	shelf *shelf.Shelf
	cache string
}

// shared files of launchers.
//
//go:embed all:serve
var shared embed.FS

// NewLauncher takes a kind's own files, which lie in a folder "serve". The one
// named serve.py is run.
func NewLauncher(kind string, own embed.FS, cache, tmp string) *Launcher {
	return &Launcher{kind: kind, own: own, cache: cache, shelf: shelf.New(tmp)}
}

// Version changes with any of its files.
func (l *Launcher) Version() string {
	sum := sha256.New()
	for _, files := range []embed.FS{shared, l.own} {
		walk(files, func(name string, content []byte) error {
			fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
			return nil
		})
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

func walk(files embed.FS, each func(name string, content []byte) error) error {
	return fs.WalkDir(files, "serve", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".py") {
			return err
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		return each(strings.TrimPrefix(name, "serve/"), content)
	})
}

// put returns where it lies, and lays it there if need be.
func (l *Launcher) put(ctx context.Context) (string, error) {
	dir := filepath.Join(l.cache, "servers", l.kind+"-"+l.Version())
	return dir, l.shelf.Put(ctx, dir, "the launcher is being written", io.Discard, func(work string) error {
		var errs []error
		for _, files := range []embed.FS{shared, l.own} {
			errs = append(errs, walk(files, func(name string, content []byte) error {
				file := filepath.Join(work, name)
				return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, content, 0o644))
			}))
		}
		return errors.Join(errs...)
	})
}

// WrapUp is what a launcher takes at most once it stops waiting for runs.
const WrapUp = 5 * time.Second

// Launch starts a bundle by the interpreter that it was built for, or one that
// runs the same byte code.
func (m *Maker) Launch(ctx context.Context, b kind.Bundle, l *Launcher, drain time.Duration) (slipway.Launch, error) {
	python, err := m.tools.ExactlyPython(ctx, b.Runtime[RuntimePython])
	if err != nil {
		return slipway.Launch{}, err
	}
	packages := m.packagesDir(b.Runtime[kind.RuntimeDependencies])
	if !shelf.Has(packages) {
		if err := m.again(ctx, b, python); err != nil {
			return slipway.Launch{}, err
		}
	}
	launcher, err := l.put(ctx)
	if err != nil {
		return slipway.Launch{}, err
	}
	site := filepath.Join(packages, "site")
	return slipway.Launch{
		// Without what is installed for the interpreter (-S, -s), and nothing
		// imported from where the launcher lies but by its own name (-P).
		Args: []string{python.Path, "-S", "-s", "-P", filepath.Join(launcher, "serve.py")},
		Env: []slipway.EnvVar{
			{Name: "PATH", Value: filepath.Join(site, "bin") + ":" + filepath.Dir(python.Path) + ":/usr/local/bin:/usr/bin:/bin"},
			{Name: "PYTHONDONTWRITEBYTECODE", Value: "1"},
			{Name: "PYTHONUNBUFFERED", Value: "1"},
			{Name: "SLIPWAY_SITE", Value: filepath.Join(b.Dir, ownFolder, "site") + ":" + site},
			{Name: "SLIPWAY_APP_DIR", Value: b.Dir},
			{Name: "SLIPWAY_CONFIG", Value: b.Config},
			{Name: "SLIPWAY_DRAIN_SECONDS", Value: strconv.Itoa(int((drain - WrapUp).Seconds()))},
		},
		Read:   append(m.tools.RuntimePythonFiles(python), b.Dir, packages, launcher),
		Socket: true,
	}, nil
}
