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

	"github.com/slipwayhq/slipway/driver/internal/journal"
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
	fresh  int64 // bytes that were appended since there was last looked how many there are
}

// boundAt is how many bytes are appended until there is looked again.
const boundAt = 1 << 20

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

// read reads up to limit bytes of what was copied.
func (o *output) read(offset int64, limit int) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.load(); err != nil {
		return nil, err
	}
	return journal.Read(o.path(), o.mark.End, offset, limit)
}

// trim gives back the space of what lies before an offset.
func (o *output) trim(before int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return withoutHoles(journal.Trim(o.path(), before))
}

// bound makes room when more is printed than is read. The caller holds mu.
func (o *output) bound(more int) error {
	if o.fresh += int64(more); o.fresh < boundAt {
		return nil
	}
	o.fresh = 0
	_, err := journal.Bound(o.path())
	return withoutHoles(err)
}

// withoutHoles passes over that a file system keeps what it has: the engine
// bounds what there is to copy while nobody reads.
func withoutHoles(err error) error {
	if errors.Is(err, journal.ErrNoHoles) {
		return nil
	}
	return err
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
		case at < o.latest(): // engines repeat themselves when they begin another file
		default:
			if err := o.append(w, at, text); err != nil {
				return err
			}
		}
	}
}

// latest is the time of the latest message that was copied.
func (o *output) latest() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mark.At
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
	return o.bound(len(text))
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
