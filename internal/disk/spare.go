package disk

import (
	"errors"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Spare is a file that holds nothing but room: on a disk that is full, what must
// be written down all the same gets it.
type Spare struct {
	path  string
	bytes int64

	mu sync.Mutex // held over every change of the file
}

// NewSpare returns a spare that Keep makes.
func NewSpare(path string, bytes int64) *Spare { return &Spare{path: path, bytes: bytes} }

// Keep makes the file, unless it is there, or would take more than half of what
// is left.
func (s *Spare) Keep() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(s.path)
	if err == nil && info.Size() == s.bytes {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = s.fill(f)
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}

// errScarce means that the room is needed for something else.
var errScarce = errors.New("too little is left on the disk to set some of it aside")

func (s *Spare) fill(f *os.File) error {
	var left unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &left); err != nil {
		return err
	}
	if int64(left.Bavail)*left.Bsize < 2*s.bytes {
		return errScarce
	}
	err := unix.Fallocate(int(f.Fd()), 0, 0, s.bytes)
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	_, err = f.Write(make([]byte, s.bytes))
	return err
}

// Give gives the room back, and says whether there was any.
func (s *Spare) Give() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return os.Remove(s.path) == nil
}
