package archive

import (
	"archive/tar"
	"bufio"
	"cmp"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Limits of one tarball. A zero field is no limit.
type Limits struct {
	Entries int   // files and folders
	Size    int64 // unpacked, bytes
	Path    int   // length of a name, bytes
	Ratio   int64 // unpacked bytes per packed byte
	// RatioFrom is how much is unpacked before its ratio says anything: small
	// files of zeros are no attack.
	RatioFrom int64
}

// SourceLimits are those of an uploaded source.
func SourceLimits() Limits {
	return Limits{Entries: 100_000, Size: 2 << 30, Path: 1024, Ratio: 200, RatioFrom: 64 << 20}
}

// Options say how to unpack.
type Options struct {
	Limits Limits
	// Strip is how many leading segments every name loses; what has no more is
	// left out.
	Strip int
	// Keep selects files by their final name; nil keeps all. What is not kept
	// is still checked and counted.
	Keep func(name string) bool
}

// Summary is what was unpacked.
type Summary struct {
	Files int
	Bytes int64
}

// Unpack writes a gzip tarball into a folder, which should be empty, and reads
// the tarball to its end.
func Unpack(r io.Reader, dir string, o Options) (Summary, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Summary{}, err
	}
	defer root.Close()
	return read(r, disk{root}, o)
}

// read passes what is in a tarball to where it goes, under the limits.
func read(r io.Reader, to target, o Options) (Summary, error) {
	packed := &counter{r: r}
	zipped, err := unzip(packed)
	if err != nil {
		return Summary{}, err
	}
	u := &unpacking{to: to, Options: o, packed: packed, content: zipped}
	if err := u.all(); err != nil {
		return Summary{}, u.explain(err)
	}
	return u.done, nil
}

// target is where files and folders go: their names are clean and lie inside.
type target interface {
	folder(name string) error
	file(name string, perm fs.FileMode, content io.Reader) (size int64, err error)
}

// disk is a folder that is filled.
type disk struct{ *os.Root }

func (d disk) folder(name string) error { return d.MkdirAll(name, 0o755) }

func (d disk) file(name string, perm fs.FileMode, content io.Reader) (int64, error) {
	if err := d.MkdirAll(path.Dir(name), 0o755); err != nil {
		return 0, err
	}
	file, err := d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(file, content)
	return n, errors.Join(err, file.Close())
}

func unzip(packed *counter) (*gzip.Reader, error) {
	buffer := bufio.NewReaderSize(packed, 64<<10)
	if magic, err := buffer.Peek(2); string(magic) != "\x1f\x8b" {
		return nil, notGzip(packed, cmp.Or(err, gzip.ErrHeader))
	}
	zipped, err := gzip.NewReader(buffer)
	if err != nil {
		return nil, notGzip(packed, err)
	}
	return zipped, nil
}

type unpacking struct {
	Options
	to      target
	packed  *counter
	content io.Reader
	entry   string // being read
	entries int
	read    int64 // unpacked bytes, kept or not
	claimed int64 // sizes of all files: more than was read if one has holes
	ended   bool  // the tar's end was seen
	done    Summary
}

func (u *unpacking) all() error {
	entries := tar.NewReader(reader(u.take))
	for {
		header, err := entries.Next()
		if err == io.EOF {
			return u.finish()
		}
		if err != nil {
			return err
		}
		if err := u.one(header, entries); err != nil {
			return err
		}
	}
}

// take reads unpacked bytes under the limits.
func (u *unpacking) take(p []byte) (int, error) {
	n, err := u.content.Read(p)
	u.read += int64(n)
	if much := u.tooMuch(); much != nil {
		return n, much
	}
	return n, err
}

func (u *unpacking) tooMuch() error {
	l, size := u.Limits, max(u.read, u.claimed)
	switch {
	case l.Size > 0 && size > l.Size:
		return tooLarge("The source unpacks to more than %d MiB.", l.Size>>20)
	case l.Ratio > 0 && size > l.RatioFrom && size > l.Ratio*u.packed.n:
		return tooLarge("The source unpacks to more than %d times its size.", l.Ratio)
	}
	return nil
}

func (u *unpacking) one(h *tar.Header, content io.Reader) error {
	u.entry = h.Name
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	if u.entries++; u.Limits.Entries > 0 && u.entries > u.Limits.Entries {
		return tooLarge("The source holds more than %d files and folders.", u.Limits.Entries)
	}
	if err := checkName(h.Name, u.Limits.Path); err != nil {
		return err
	}
	u.claimed += min(h.Size, 1<<40) // no overflow, however much is claimed
	if err := u.tooMuch(); err != nil {
		return err
	}
	name := strip(path.Clean(h.Name), u.Strip)
	switch h.Typeflag {
	case tar.TypeDir:
		return u.folder(name)
	case tar.TypeReg, tar.TypeGNUSparse:
		return u.file(name, h, content)
	}
	return refuseType(h)
}

func (u *unpacking) folder(name string) error {
	if name == "." || u.Keep != nil {
		return nil
	}
	return u.clash(u.to.folder(name))
}

func (u *unpacking) file(name string, h *tar.Header, content io.Reader) error {
	if name == "." {
		if u.Strip > 0 {
			return nil
		}
		return unsafePath(h.Name, "a file can not be the root")
	}
	if u.Keep != nil && !u.Keep(name) {
		return nil
	}
	n, err := u.to.file(name, mode(h.FileInfo().Mode()), content)
	u.done.Files++
	u.done.Bytes += n
	return u.clash(err)
}

// mode keeps whether a file can be executed, and nothing else.
func mode(m fs.FileMode) fs.FileMode {
	if m&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

// finish reads what follows the tar's end: padding, and gzip's checksum.
func (u *unpacking) finish() error {
	u.ended = true
	if _, err := io.Copy(io.Discard, reader(u.take)); err != nil {
		return err
	}
	if u.entries == 0 {
		return broken("empty_archive", "The source is an empty tarball.")
	}
	return nil
}

func strip(name string, segments int) string {
	for range segments {
		_, rest, found := strings.Cut(name, "/")
		if !found {
			return "."
		}
		name = rest
	}
	return name
}

// counter counts what was read, and keeps the source's own error apart from
// those of the formats.
type counter struct {
	r   io.Reader
	n   int64
	err error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }
