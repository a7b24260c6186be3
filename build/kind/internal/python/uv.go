package python

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipwayhq/slipway/build/toolchain"
)

// installer is uv or pip.
type installer interface {
	// tool is its name and version.
	tool() (name, version string)
	// resolve settles which versions requirements come to. It prefers those of
	// the server's own lock.
	resolve(ctx context.Context, s surveyed, r requirements) (lock, error)
	// install puts the packages of a lock into a folder.
	install(ctx context.Context, l lock, site string) error
	// link puts names and places of the app's own packages into a folder.
	link(ctx context.Context, folders []string, site string) error
}

// needsBuild are packages that the servers need and that come as source only:
// they are known by their digest.
const needsBuild = "forbiddenfruit"

type uv struct {
	*job
	found toolchain.UV
}

func (u uv) tool() (string, string) { return "uv", u.found.Version }

// wheels keeps code of packages from being run.
var wheels = []string{"--only-binary", ":all:", "--no-binary", needsBuild}

func (u uv) resolve(ctx context.Context, s surveyed, r requirements) (lock, error) {
	dir := filepath.Join(u.app.Dir, u.app.Config.Dir())
	if u.app.Dir == "" {
		dir = u.scratch
	}
	if u.app.Config.Python.Workspace != nil {
		file, err := u.export(ctx, s.Package)
		if err != nil {
			return lock{}, err
		}
		r.files = append(r.files, file)
	}
	answer := filepath.Join(u.scratch, "resolved.txt")
	asked, err := u.write("requirements.in", u.file(r))
	if err != nil {
		return lock{}, err
	}
	args := []string{
		u.found.Path, "pip", "compile", asked, "--output-file", answer, "--python", u.python.Path,
		"--generate-hashes", "--no-header", "--no-annotate", "--no-emit-build-options", "--quiet",
	}
	said, err := u.attempt(ctx, dir, r.built, args, func() error {
		_, err := u.write("resolved.txt", u.known.String()) // uv keeps what it finds there, if it can
		return err
	})
	if err = u.explain(said, "resolve the dependencies", err); err != nil {
		return lock{}, err
	}
	content, err := os.ReadFile(answer)
	return parseLock(string(content)), err
}

// file is what uv and pip are asked for.
func (j *job) file(r requirements) string {
	var b strings.Builder
	for _, folder := range r.edits {
		fmt.Fprintf(&b, "-e %s\n", filepath.Join(j.app.Dir, folder))
	}
	for _, file := range r.files {
		if !filepath.IsAbs(file) {
			file = filepath.Join(j.app.Dir, file)
		}
		fmt.Fprintf(&b, "-r %s\n", file)
	}
	return b.String() + strings.Join(r.lines, "\n") + "\n"
}

// attempt does without code of packages as long as it can.
func (j *job) attempt(ctx context.Context, dir string, builds bool, args []string, before func() error) (*output, error) {
	if !builds {
		if err := before(); err != nil {
			return nil, err
		}
		said, err := j.fetch(ctx, dir, append(args, wheels...)...)
		if err != nil || !said.wantsBuild() {
			return said, err
		}
		fmt.Fprintln(j.log, "Trying again with packages that have to be built from their source")
	}
	if err := before(); err != nil {
		return nil, err
	}
	return j.build(ctx, dir, args...)
}

// export reads the packages of a workspace's member off its uv.lock. Where the
// index is another one, uv takes every lock for stale: it is then taken as it is.
func (u uv) export(ctx context.Context, member string) (string, error) {
	root := filepath.Join(u.app.Dir, u.app.Config.Python.Workspace.Root)
	file := filepath.Join(u.scratch, "exported.txt")
	fresh := "--locked"
	if !u.index.Usual() {
		fresh = "--frozen"
		fmt.Fprintln(u.log, "Warning: packages come from another index than PyPI, so that uv.lock is taken without looking whether it is up to date")
	}
	said, err := u.build(ctx, root, u.found.Path, "export", fresh, "--package", member, "--python", u.python.Path,
		"--no-emit-project", "--no-emit-workspace", "--no-header", "--no-annotate", "--quiet", "--output-file", file)
	return file, u.explain(said, "read uv.lock", err)
}

func (u uv) install(ctx context.Context, l lock, site string) error {
	if err := os.MkdirAll(site, 0o755); err != nil {
		return err
	}
	args := []string{u.found.Path, "pip", "install", "--no-config", "--python", u.python.Path, "--target", site, "--no-deps", "--quiet", "--requirements"}
	file, err := u.written(l.only(false))
	if err != nil {
		return err
	}
	said, err := u.attempt(ctx, u.scratch, false, append(args, file, "--require-hashes"), func() error { return nil })
	if err = u.explain(said, "install the dependencies", err); err != nil || len(l.direct) == 0 {
		return err
	}
	if file, err = u.written(l.only(true)); err != nil {
		return err
	}
	said, err = u.build(ctx, u.scratch, append(args, file)...)
	return u.explain(said, "install the dependencies", err)
}

// written is a file of a lock.
func (j *job) written(l lock) (string, error) {
	return j.write("install.txt", l.String())
}

func (u uv) link(ctx context.Context, folders []string, site string) error {
	args := []string{u.found.Path, "pip", "install", "--python", u.python.Path, "--target", site, "--no-deps", "--quiet"}
	for _, folder := range folders {
		args = append(args, "--editable", filepath.Join(u.app.Dir, folder))
	}
	said, err := u.build(ctx, filepath.Join(u.app.Dir, u.app.Config.Dir()), args...)
	return u.explain(said, "install the app's own packages", err)
}
