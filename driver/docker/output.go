package docker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// mark says how far an engine's log has been copied. It is written after what it
// speaks of.
type mark struct {
	Attempt int64
	Began   int64 // where the attempt's output begins
	End     int64 // where what was copied ends
	At      int64 // time of the latest message that was copied, in ns since 1970
	Seen    int64 // how many messages of just that time were
}

// output is what an instance printed, in its folder. One at a time copies into
// it; anybody reads. Of what was copied the end is kept; the disk gets the rest
// back, and offsets stay what they were.
type output struct {
	folder string
	mu     sync.Mutex
	loaded bool
	mark   mark
	freed  int64 // what lies before was given back
	said   int64 // where the last part of a loss ended that was read
}

const (
	keptOutput = 64 << 20
	freedAt    = 1 << 20 // so much is given back at once
)

// kept is where what is kept begins.
func (m mark) kept() int64 { return max(0, m.End-keptOutput) / freedAt * freedAt }

func (o *output) path() string     { return filepath.Join(o.folder, "output.log") }
func (o *output) markPath() string { return filepath.Join(o.folder, "output.mark") }

// load reads the mark, once. The caller holds mu.
func (o *output) load() error {
	if o.loaded {
		return nil
	}
	text, err := os.ReadFile(o.markPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	o.mark = mark{} // one that can not be read is as none: all is copied again
	_, _ = binary.Decode(text, binary.BigEndian, &o.mark)
	o.loaded = true
	return nil
}

func (o *output) snapshot() (mark, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.load()
	return o.mark, err
}

// began is where an attempt's output begins; that of one which printed nothing
// is empty.
func (o *output) began(attempt int) int64 {
	m, _ := o.snapshot()
	if m.Attempt != int64(attempt) {
		return m.End
	}
	return m.Began
}

// begin gets ready to copy the output of an attempt, and says since when
// messages are wanted, as the engine's API has it; "" for all.
func (o *output) begin(attempt int) (since string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.load(); err != nil {
		return "", err
	}
	if o.mark.Attempt != int64(attempt) {
		o.mark = mark{Attempt: int64(attempt), Began: o.mark.End, End: o.mark.End}
	}
	if o.mark.At == 0 {
		return "", nil
	}
	return stamp(time.Unix(0, o.mark.At)), nil
}

// stamp is a time as the engine's API takes it.
func stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

// read reads up to limit bytes of what was copied. In the place of what is not
// kept it says so, once to who reads on, in a line of its own.
func (o *output) read(offset int64, limit int) ([]byte, error) {
	m, err := o.snapshot()
	offset = max(0, offset)
	if err != nil || m.End <= offset {
		return nil, err
	}
	f, err := os.Open(o.path())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text := make([]byte, min(int64(limit), m.End-offset))
	n, err := f.ReadAt(text, offset)
	if err != nil {
		return nil, err
	}
	m, err = o.snapshot() // what is read now may have been given back meanwhile
	if lost := m.kept() - offset; lost > 0 {
		return o.loss(offset, int(min(int64(n), lost)), lost), err
	}
	return text[:n], err
}

// loss fills the place of n bytes with empty lines, behind one that tells of all.
func (o *output) loss(offset int64, n int, all int64) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := bytes.Repeat([]byte("\n"), n)
	if offset != o.said || offset == 0 {
		copy(text[:max(0, n-1)], fmt.Sprintf("\nwarning: %d bytes of output are lost here: more was printed than is kept", all))
	}
	o.said = offset + int64(n)
	return text
}

// free gives the disk back what is not kept. A file system that can not keeps it.
func (o *output) free(w writing) error {
	if kept := o.mark.kept(); kept > o.freed {
		err := unix.Fallocate(int(w.text.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, kept)
		if err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
			return fmt.Errorf("give back the space of old output: %w", err)
		}
		o.freed = kept
	}
	return nil
}

// copy appends the messages of a stream, but for those that were copied before.
func (o *output) copy(stream io.Reader) error {
	w, err := o.open()
	if err != nil {
		return err
	}
	defer w.close()
	before, err := o.snapshot()
	if err != nil {
		return err
	}
	if err := w.text.Truncate(before.End); err != nil {
		return err
	}
	known := before.Seen
	for r := bufio.NewReaderSize(stream, 64<<10); ; {
		at, text, err := readMessage(r)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case at == before.At && known > 0:
			known--
		default:
			if err := o.append(w, at, text); err != nil {
				return err
			}
		}
	}
}

// writing is the two files of an output, open.
type writing struct{ text, mark *os.File }

func (w writing) close() { _ = errors.Join(w.text.Close(), w.mark.Close()) }

func (o *output) open() (w writing, err error) {
	if w.text, err = os.OpenFile(o.path(), os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
		return w, err
	}
	if w.mark, err = os.OpenFile(o.markPath(), os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
		w.text.Close()
	}
	return w, err
}

// append writes a message, then the mark, in one call: a death leaves it whole.
func (o *output) append(w writing, at int64, text []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := o.mark
	if _, err := w.text.WriteAt(text, next.End); err != nil {
		return err
	}
	next.End += int64(len(text))
	switch {
	case at > next.At:
		next.At, next.Seen = at, 1
	case at == next.At:
		next.Seen++
	}
	line, err := binary.Append(nil, binary.BigEndian, next)
	if err != nil {
		return err
	}
	if _, err := w.mark.WriteAt(line, 0); err != nil {
		return err
	}
	o.mark = next
	return o.free(w)
}

// maxMessage bounds a message. An engine cuts lines at 16 KiB.
const maxMessage = 1 << 20

// systemError is the stream by which an engine says that it can not go on.
const systemError = 3

// readMessage reads one message of an engine's log: a header of eight bytes with
// the stream and the length, the time, a space, and what was printed.
func readMessage(r io.Reader) (at int64, text []byte, err error) {
	var header [8]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(header[4:])
	if size > maxMessage {
		return 0, nil, fmt.Errorf("a message of %d bytes in the output of a container", size)
	}
	text = make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return 0, nil, noEOF(err)
	}
	if header[0] == systemError {
		return 0, nil, fmt.Errorf("read output: %s", text)
	}
	stamp, text, _ := bytes.Cut(text, []byte(" "))
	printed, err := time.Parse(time.RFC3339Nano, string(stamp))
	return printed.UnixNano(), text, err
}

// noEOF tells the middle of a message from the end of the stream.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
