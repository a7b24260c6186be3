// Package content says what is in a finished folder, by one digest.
//
// Names, kinds, executable bits, bytes and targets of links count; owners, times
// and all other modes do not. A link that leads out of the folder counts with
// what it leads to: what several folders share has a digest of its own recorded
// beside it, since it is read once and used often.
package content

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// recordName is the file with the digest of the folder that it lies in.
const recordName = ".content"

// Record writes the digest of a folder into it.
func Record(dir string) error {
	digest, err := Digest(dir)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, recordName), []byte(digest+"\n"), 0o644)
}

// Digest of a folder's content: SHA-256, hex.
func Digest(dir string) (string, error) {
	d := digester{top: dir, sum: sha256.New()}
	if err := filepath.WalkDir(dir, d.visit); err != nil { // in the order of names
		return "", err
	}
	return hex.EncodeToString(d.sum.Sum(nil)), nil
}

type digester struct {
	top string
	sum hash.Hash
}

func (d digester) visit(path string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	name, err := filepath.Rel(d.top, path)
	if err != nil || name == recordName {
		return err
	}
	switch entry.Type() {
	case fs.ModeDir:
		d.add("folder", name)
		return nil
	case fs.ModeSymlink:
		return d.link(name, path)
	case 0:
		return d.file(name, path, entry)
	}
	return fmt.Errorf("%s is neither a file, a folder nor a link", name)
}

// add writes strings so that no other strings give the same.
func (d digester) add(parts ...string) {
	for _, part := range parts {
		fmt.Fprintf(d.sum, "%d %s\n", len(part), part)
	}
}

func (d digester) file(name, path string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	kind := "file"
	if info.Mode()&0o111 != 0 {
		kind = "program"
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	d.add(kind, name, fmt.Sprint(info.Size()))
	_, err = io.Copy(d.sum, file)
	return err
}

// link counts by where it leads inside the folder. Outside of it the place says
// nothing, and what is there does.
func (d digester) link(name, path string) error {
	target, err := os.Readlink(path)
	if err != nil {
		return err
	}
	at := target
	if !filepath.IsAbs(at) {
		at = filepath.Join(filepath.Dir(path), target)
	}
	if at == d.top || strings.HasPrefix(at, d.top+string(filepath.Separator)) {
		d.add("link", name, target)
		return nil
	}
	outside, err := recorded(at)
	if errors.Is(err, fs.ErrNotExist) {
		d.add("link", name, target) // to nowhere
		return nil
	}
	d.add("shared", name, outside)
	return err
}

// recorded is what the nearest record above a place says, or else the digest of
// what is there.
func recorded(at string) (string, error) {
	digest, err := os.ReadFile(filepath.Join(filepath.Dir(at), recordName))
	if err == nil {
		return strings.TrimSpace(string(digest)) + " " + filepath.Base(at), nil
	}
	info, err := os.Stat(at)
	if err != nil || info.IsDir() {
		if err == nil {
			return Digest(at)
		}
		return "", err
	}
	text, err := os.ReadFile(at)
	return fmt.Sprintf("%x", sha256.Sum256(text)), err
}
