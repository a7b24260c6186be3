// Package journal keeps on a disk what an instance prints, in one file that is
// only appended to, by whomever. An offset names the same byte for ever; the
// space of what is not needed any more is given back by a hole that begins at
// the start of the file and only grows.
//
// A hole is made of what has been read (Trim) or, when more is written than is
// read, of what has not (Bound). That is a loss: it is written down beside the
// file, before it happens, and Read tells it to whoever comes to it.
//
// Calls for one file must not overlap; who appends does not matter.
package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
)

const (
	// most is how many bytes a file may take on the disk, and keep what is left
	// of one that has more.
	most = 64 << 20
	keep = 16 << 20
	// tail stays in any case: the last words are quoted as the reason of an end.
	tail = 128 << 10
	// block is what holes are made of, at least.
	block = 4 << 10
)

// ErrNoHoles means that the file system can not give space back.
var ErrNoHoles = errors.ErrUnsupported

// Trim gives back the space of what lies before an offset, as far as it is not
// among the last words.
func Trim(path string, before int64) error {
	f, size, err := open(path, os.O_RDWR)
	if f == nil || err != nil {
		return err
	}
	defer f.Close()
	return punch(f, min(before, size-tail))
}

// Bound makes a hole of the oldest output if there is too much of it, and says
// how many bytes were lost.
func Bound(path string) (lost int64, err error) {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil || stat.Blocks*512 <= most {
		return 0, ignore(err)
	}
	f, size, err := open(path, os.O_RDWR)
	if f == nil || err != nil {
		return 0, err
	}
	defer f.Close()
	cut := (size - keep) / block * block
	from, err := dataAfter(f, 0)
	if err != nil || cut <= from {
		return 0, err
	}
	loss := span{from, nextLine(f, cut)}
	if err := note(path, loss); err != nil {
		return 0, err
	}
	return loss.until - loss.from, punch(f, cut)
}

// Read reads up to limit bytes before an end, from an offset. Where that lies in
// a hole, a *slipway.OutputGap says where to go on.
func Read(path string, end, offset int64, limit int) ([]byte, error) {
	offset = max(0, offset)
	if end <= offset {
		return nil, nil
	}
	f, size, err := open(path, os.O_RDONLY)
	if f == nil || err != nil {
		return nil, err
	}
	defer f.Close()
	if end = min(end, size); end <= offset {
		return nil, nil
	}
	data, err := dataAfter(f, offset)
	if err != nil {
		return nil, err
	}
	if data > offset {
		return nil, gap(path, offset, data)
	}
	text := make([]byte, max(0, min(int64(limit), end-offset)))
	n, err := f.ReadAt(text, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return text[:n], err
}

// open returns nil if there is no such file.
func open(path string, flags int) (*os.File, int64, error) {
	f, err := os.OpenFile(path, flags|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, 0, ignore(err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

func ignore(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// dataAfter is the first offset at or after one that is not in a hole; the end
// of the file if there is none.
func dataAfter(f *os.File, offset int64) (int64, error) {
	at, err := f.Seek(offset, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return f.Seek(0, io.SeekEnd)
	case errors.Is(err, unix.EINVAL): // a file system without holes
		return offset, nil
	}
	return at, err
}

// punch gives back what lies before an offset, in whole blocks.
func punch(f *os.File, before int64) error {
	before -= before % block
	if before <= 0 {
		return nil
	}
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, before)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = ErrNoHoles
	}
	if err != nil {
		return fmt.Errorf("give back space of %s: %w", f.Name(), err)
	}
	return nil
}

// nextLine is where the first line begins that lies behind an offset as a whole;
// the offset itself if there is no end of a line soon.
func nextLine(f *os.File, offset int64) int64 {
	text := make([]byte, 64<<10)
	n, _ := f.ReadAt(text, offset)
	return offset + int64(bytes.IndexByte(text[:n], '\n')) + 1
}

// span is what was lost at once.
type span struct{ from, until int64 }

func lostPath(path string) string { return path + ".lost" }

// note writes a loss down.
func note(path string, s span) error {
	f, err := os.OpenFile(lostPath(path), os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d %d\n", s.from, s.until)
	return errors.Join(err, f.Close())
}

// gap says what became of what lay between an offset and the first data.
func gap(path string, offset, data int64) error {
	text, err := os.ReadFile(lostPath(path))
	if err = ignore(err); err != nil {
		return err
	}
	g, reached := &slipway.OutputGap{Until: data}, int64(0)
	for line := range bytes.Lines(text) {
		var s span
		if _, err := fmt.Sscanf(string(line), "%d %d", &s.from, &s.until); err != nil || s.until <= offset || s.from > data {
			continue
		}
		g.Lost += max(0, s.until-max(s.from, offset, reached)) // a line that was cut counts once
		reached = s.until
		g.Until = max(g.Until, s.until)
	}
	return g
}
