package toolchain

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

// delivered is a server that a wheel delivers to machines which have none. What is
// installed is not looked for here: that is for whoever needs it.
type delivered struct {
	name    string // PostgreSQL
	folder  string // its folder's name, but for the version
	hint    string // what to do instead
	pins    map[string]wheel
	picked  func(name string) bool          // of what the wheel holds
	program func(home string) (path string) // that must answer; "" if it is not there
}

// here is the wheel for this machine; not ok if there is none.
func (d delivered) here() (w wheel, ok bool) {
	w, ok = d.pins[runtime.GOARCH]
	return w, ok && runtime.GOOS == "linux"
}

// deliver brings a server, and sees that it runs. Failures have the code.
func (t *Toolchains) deliver(ctx context.Context, d delivered, code string, log io.Writer) (home, program string, err error) {
	w, ok := d.here()
	if !ok {
		return "", "", failure.WithHint(failure.New(Step, code, "No %s is installed, and none is known for %s on %s.", d.name, runtime.GOOS, runtime.GOARCH), "%s", d.hint)
	}
	home = filepath.Join(t.dir, d.folder+w.version)
	err = t.bring(ctx, w, home, log, func(file *os.File, made string) error {
		return unzip(file, made, d.picked)
	})
	if err != nil {
		return "", "", err
	}
	if program = d.program(home); program == "" || len(t.answers(ctx, program, "--version")) == 0 {
		return "", "", errors.Join(ctx.Err(), failure.WithHint(failure.New(Step, code,
			"%s was brought from PyPI (%s), but does not run on this machine, which may be for its C library: it wants glibc 2.28 or later.", d.name, w.label()), "%s", d.hint))
	}
	return home, program, nil
}

// unzip lays what is picked of a wheel out in a folder.
func unzip(wheel *os.File, made string, picked func(name string) bool) error {
	info, err := wheel.Stat()
	if err != nil {
		return err
	}
	packed, err := zip.NewReader(wheel, info.Size())
	if err != nil {
		return err
	}
	for _, file := range packed.File {
		if !picked(file.Name) || strings.HasSuffix(file.Name, "/") {
			continue
		}
		if !filepath.IsLocal(file.Name) || !file.Mode().IsRegular() {
			return fmt.Errorf("%s: %w", file.Name, fs.ErrInvalid)
		}
		if err := unzipFile(file, filepath.Join(made, file.Name)); err != nil {
			return err
		}
	}
	return nil
}

func unzipFile(from *zip.File, to string) error {
	content, err := from.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644|from.Mode().Perm()&0o111)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
