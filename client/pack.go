package client

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
)

// Archive is an app as it is uploaded: a gzip tarball of relative paths without
// links. The same content makes the same archive. It is kept in a temporary
// file, which Close removes.
type Archive struct {
	Files   int
	Size    int64    // bytes
	Digest  string   // SHA-256, hex
	Skipped []string // links that lead to no file within the app
	file    *os.File
}

// Pack makes an archive of the app in a folder. It leaves out what is made
// anew everywhere (node_modules, .git, .venv and the like) and what the
// folder's .gitignore and .dockerignore name, but never the file that
// langgraph.json takes variables from. An archive larger than a server takes
// is refused.
func Pack(dir string) (*Archive, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", dir, err)
	}
	defer root.Close()
	return PackFS(root.FS())
}

// PackFS is Pack of a file system.
func PackFS(app fs.FS) (*Archive, error) { return pack(app, slipway.MaxUpload) }

func pack(app fs.FS, limit int64) (*Archive, error) {
	file, err := os.CreateTemp("", "slipway-app-*.tar.gz")
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	a := &Archive{file: file}
	if err := a.fill(app, limit); err != nil {
		return nil, errors.Join(fmt.Errorf("pack: %w", err), a.Close())
	}
	return a, nil
}

// Read reads the tarball.
func (a *Archive) Read(p []byte) (int, error) { return a.file.Read(p) }

// Close removes the tarball.
func (a *Archive) Close() error {
	return errors.Join(a.file.Close(), os.Remove(a.file.Name()))
}

func (a *Archive) fill(app fs.FS, limit int64) error {
	sum := &limited{to: a.file, sum: sha256.New(), left: limit}
	zip := gzip.NewWriter(sum)
	p := packer{archive: a, app: app, rules: readRules(app), tar: tar.NewWriter(zip)}
	if err := fs.WalkDir(app, ".", p.visit); err != nil {
		return err
	}
	if err := errors.Join(p.tar.Close(), zip.Close()); err != nil {
		return err
	}
	a.Size, a.Digest = limit-sum.left, hex.EncodeToString(sum.sum.Sum(nil))
	_, err := a.file.Seek(0, io.SeekStart)
	return err
}

type packer struct {
	archive *Archive
	app     fs.FS
	rules   rules
	tar     *tar.Writer
}

func (p *packer) visit(name string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case name == ".":
		return nil
	case entry.IsDir():
		if p.rules.skipDir(name) {
			return fs.SkipDir
		}
		return nil
	case p.rules.skipFile(name):
		return nil
	}
	return p.add(name, entry.Type())
}

// add packs a file, or the file that a link within the app leads to.
func (p *packer) add(name string, kind fs.FileMode) error {
	info, err := fs.Stat(p.app, name)
	if kind&fs.ModeSymlink != 0 && (err != nil || !info.Mode().IsRegular()) {
		p.archive.Skipped = append(p.archive.Skipped, name)
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil // sockets and pipes mean nothing elsewhere
	}
	p.archive.Files++
	return p.copy(name, info)
}

func (p *packer) copy(name string, info fs.FileInfo) error {
	file, err := p.app.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	header := &tar.Header{Name: name, Size: info.Size(), Mode: 0o644, ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg}
	if info.Mode()&0o111 != 0 {
		header.Mode = 0o755
	}
	if err := p.tar.WriteHeader(header); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := io.CopyN(p.tar, file, info.Size()); errors.Is(err, io.EOF) {
		return fmt.Errorf("%s became shorter while it was packed", name)
	} else if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// errTooLarge says what may be done about it.
var errTooLarge = fmt.Errorf("the app is larger than %d MiB when packed, which is more than a server takes; name what it does not need in .gitignore or .dockerignore", slipway.MaxUpload>>20)

// limited writes and hashes until a limit.
type limited struct {
	to   io.Writer
	sum  hash.Hash
	left int64
}

func (l *limited) Write(b []byte) (int, error) {
	if int64(len(b)) > l.left {
		return 0, errTooLarge
	}
	l.left -= int64(len(b))
	l.sum.Write(b)
	return l.to.Write(b)
}

// alwaysSkipped are folders and files that are made anew wherever an app goes,
// or that are nobody else's business.
var alwaysSkipped = map[string]bool{
	".git": true, ".hg": true, ".svn": true, ".DS_Store": true,
	"node_modules": true, ".venv": true, "__pycache__": true, ".mypy_cache": true, ".pytest_cache": true, ".ruff_cache": true, ".tox": true,
	".langgraph_api": true, ".slipway": true,
}

func skippedAlways(name string) bool {
	base := path.Base(name)
	return alwaysSkipped[base] || strings.HasSuffix(base, ".pyc")
}
