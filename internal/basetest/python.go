package basetest

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

var (
	//go:embed python/requirements.txt
	requirements string
	//go:embed python/serve.py
	serve string
)

// apiProject is what lies in /api of the vendor's base image: there, the
// server; here, a project of nothing, since the server is installed as usual.
const apiProject = `[project]
name = "base-of-tests"
version = "0.1"
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
py-modules = []
`

// pythonVersion is the one that the packages are pinned for.
const pythonVersion = "3.12"

// findPython returns the folder of an installed CPython of that version; one
// that is found is run, since shims fail.
func findPython() (string, error) {
	home, _ := os.UserHomeDir()
	candidates, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions", pythonVersion+".*/bin/python"+pythonVersion))
	for _, candidate := range append(candidates, "python"+pythonVersion) {
		prefix, err := exec.Command(candidate, "-c", "import sys; print(sys.base_prefix)").Output()
		if err == nil {
			return strings.TrimSpace(string(prefix)), nil
		}
	}
	return "", fmt.Errorf("no Python %s is installed, from which to make a base image", pythonVersion)
}

// python gathers an interpreter, and the packages that are asked for.
func python(prefix, packages string) func(rootfs) error {
	return func(r rootfs) error {
		if err := errors.Join(r.lay(), r.interpreter(prefix)); err != nil {
			return err
		}
		if err := r.libraries("/usr/local"); err != nil {
			return err
		}
		return errors.Join(r.pip(), r.install(packages))
	}
}

func (r rootfs) interpreter(prefix string) error {
	name := "python" + pythonVersion
	skip := func(file string) bool {
		base := filepath.Base(file)
		return base == "__pycache__" || base == "test" || base == "site-packages" || strings.HasPrefix(base, "config-"+pythonVersion)
	}
	err := errors.Join(
		r.copyAs(filepath.Join(prefix, "bin", name), "/usr/local/bin/"+name),
		r.copyTree(filepath.Join(prefix, "lib", name), "/usr/local/lib/"+name, skip),
		os.MkdirAll(r.at("/usr/local/lib/"+name+"/site-packages"), 0o755),
		os.Symlink(name, r.at("/usr/local/bin/python3")),
		os.Symlink(name, r.at("/usr/local/bin/python")),
	)
	shared, _ := filepath.Glob(filepath.Join(prefix, "lib", "libpython*.so*"))
	for _, library := range shared {
		err = errors.Join(err, r.copyAs(library, "/usr/local/lib/"+filepath.Base(library)))
	}
	return err
}

func (r rootfs) pip() error {
	if err := r.run("/usr/local/bin/python3", "-m", "ensurepip"); err != nil {
		return err
	}
	return os.Symlink("pip3", r.at("/usr/local/bin/pip"))
}

// install installs locked packages, if there are any, and moves uv to where
// the vendor's Dockerfile removes it.
func (r rootfs) install(packages string) error {
	if packages == "" {
		return nil
	}
	if err := errors.Join(os.Remove(r.at("/usr/local/bin/pip")), r.write("/tmp/requirements.txt", packages)); err != nil {
		return err
	}
	err := r.run("/usr/local/bin/python3", "-m", "pip", "install", "--quiet", "--no-cache-dir", "--root-user-action=ignore",
		"--require-hashes", "--only-binary=:all:", "--no-binary=forbiddenfruit", "-r", "/tmp/requirements.txt")
	if err != nil {
		return err
	}
	return errors.Join(
		os.Remove(r.at("/tmp/requirements.txt")),
		os.Rename(r.at("/usr/local/bin/uv"), r.at("/usr/bin/uv")),
		os.Rename(r.at("/usr/local/bin/uvx"), r.at("/usr/bin/uvx")),
		os.MkdirAll(r.at("/api"), 0o755),
		os.MkdirAll(r.at("/storage"), 0o755),
		r.write("/api/pyproject.toml", apiProject),
		r.write("/api/constraints.txt", ""),
		r.write("/storage/serve.py", serve),
	)
}
