package toolchain

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

// newestTried is the newest minor version of Python 3 that the agent servers
// were tried on. An app that names none gets a newer one only if there is no
// other: its packages may have no wheels for that yet.
const newestTried = 13

// Python is a CPython that has been run.
type Python struct {
	Path    string // of the program itself, no shim and no virtual environment
	Version string // 3.12.1
}

// Minor version of Python 3.
func (p Python) Minor() int { return int(p.parsed().Minor()) }

func (p Python) parsed() *semver.Version {
	v, err := semver.StrictNewVersion(p.Version)
	if err != nil {
		return new(semver.Version)
	}
	return v
}

func (p Python) String() string { return fmt.Sprintf("Python %s at %s", p.Version, p.Path) }

// PythonFiles are what a confined program needs to read in order to run a
// Python, and what is brought to install with.
func (t *Toolchains) PythonFiles(p Python) []string {
	include := filepath.Join(filepath.Dir(filepath.Dir(p.Path)), "include")
	return append(append(t.RuntimePythonFiles(p), include), settings()...)
}

// RuntimePythonFiles are those that an agent needs, which gets no settings of
// ours.
func (t *Toolchains) RuntimePythonFiles(p Python) []string {
	bin := filepath.Dir(p.Path)
	return []string{t.dir, bin, filepath.Join(filepath.Dir(bin), "lib")}
}

// askPython prints its version and where it really is, if it has what pip and
// every agent server need.
const askPython = `import os, sys
import ctypes, ssl, zlib
assert sys.implementation.name == "cpython" and sys.version_info.releaselevel == "final" and "t" not in sys.abiflags
print("%d.%d.%d" % sys.version_info[:3])
print(os.path.realpath(sys._base_executable))`

// UsualPythons are programs on this machine that may be Python.
func UsualPythons() []string {
	var found []string
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/bin", "/usr/bin") {
		if !filepath.IsAbs(dir) {
			continue
		}
		found = append(found, filepath.Join(dir, "python3"))
		named, _ := filepath.Glob(filepath.Join(dir, "python3.[0-9]*"))
		found = append(found, slices.DeleteFunc(named, func(path string) bool { return strings.HasSuffix(path, "-config") })...)
	}
	for _, dir := range pythonVersionFolders() {
		matches, _ := filepath.Glob(filepath.Join(dir, "bin", "python3"))
		found = append(found, matches...)
	}
	return found
}

// pythonVersionFolders are where others keep one Python a folder.
func pythonVersionFolders() []string {
	patterns := []string{"/opt/*", "/opt/python/*", "/usr/local/python*"}
	for name, below := range map[string]string{"PYENV_ROOT": "versions/*", "UV_PYTHON_INSTALL_DIR": "*"} {
		if dir := os.Getenv(name); filepath.IsAbs(dir) {
			patterns = append(patterns, filepath.Join(dir, below))
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		for _, below := range []string{".pyenv/versions/*", ".local/share/uv/python/*", ".asdf/installs/python/*", ".local/share/mise/installs/python/*"} {
			patterns = append(patterns, filepath.Join(home, below))
		}
	}
	return patterns
}

// Python returns the newest that fits: exactly the minor version of Python 3
// that is asked for, or with 0 any from least on.
func (t *Toolchains) Python(ctx context.Context, minor, least int, log io.Writer) (Python, error) {
	found := t.pythons(ctx)
	if err := ctx.Err(); err != nil {
		return Python{}, err
	}
	p, ok := choosePython(found, minor, least)
	if !ok {
		return Python{}, noPython(found, minor, least)
	}
	fmt.Fprintf(log, "Using installed %s\n", p)
	return p, nil
}

func choosePython(found []Python, minor, least int) (Python, bool) {
	fits := func(p Python) bool { return p.Minor() >= least && (minor == 0 || p.Minor() == minor) }
	tried := func(p Python) bool { return fits(p) && p.Minor() <= newestTried }
	for _, wanted := range []func(Python) bool{tried, fits} {
		if i := slices.IndexFunc(found, wanted); i >= 0 {
			return found[i], true
		}
	}
	return Python{}, false
}

func noPython(found []Python, minor, least int) error {
	wanted := fmt.Sprintf("3.%d or newer", least)
	if minor > 0 && minor >= least {
		wanted = fmt.Sprintf("3.%d", minor)
	}
	reason := "none is installed"
	if len(found) > 0 {
		var all []string
		for _, p := range found {
			all = append(all, p.Version+" at "+p.Path)
		}
		reason = "installed are " + strings.Join(all, ", ")
	}
	if minor > 0 && minor < least {
		return failure.WithHint(
			failure.New(Step, "python_unavailable", "The agent server needs Python 3.%d or newer, and the app asks for 3.%d.", least, minor),
			"Raise python_version.")
	}
	return failure.WithHint(
		failure.New(Step, "python_unavailable", "There is no Python %s: %s.", wanted, reason),
		"Install one on the machine that runs the agents, or ask for another by python_version.")
}

// ExactlyPython returns the Python of a version, or, if it is gone, the newest
// one of the same minor version: what was built for that runs on no other.
func (t *Toolchains) ExactlyPython(ctx context.Context, version string) (Python, error) {
	wanted := Python{Version: version}
	found := t.pythons(ctx)
	for _, fits := range []func(Python) bool{
		func(p Python) bool { return p.Version == version },
		func(p Python) bool { return p.Minor() == wanted.Minor() },
	} {
		if i := slices.IndexFunc(found, fits); i >= 0 {
			return found[i], nil
		}
	}
	if err := ctx.Err(); err != nil {
		return Python{}, err
	}
	return Python{}, noPython(found, wanted.Minor(), 0)
}

// pythons are all that run, newest first.
func (t *Toolchains) pythons(ctx context.Context) []Python {
	var found []Python
	for _, path := range t.searchPython() {
		lines := t.answers(ctx, path, "-I", "-c", askPython)
		if len(lines) != 2 || !exists(lines[1]) {
			continue
		}
		p := Python{Path: lines[1], Version: lines[0]}
		if _, err := semver.StrictNewVersion(p.Version); err != nil || slices.Contains(found, p) {
			continue
		}
		found = append(found, p)
	}
	slices.SortStableFunc(found, func(a, b Python) int { return b.parsed().Compare(a.parsed()) })
	return found
}
