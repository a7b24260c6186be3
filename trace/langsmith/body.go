package langsmith

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/slipwayhq/slipway"
)

const (
	// maxBody bounds a request, in bytes, as it comes and decoded.
	maxBody = 1 << 30
	// maxWindow bounds what a zstd frame may have its reader remember. The SDKs'
	// compressors need 8 MiB at most.
	maxWindow = 32 << 20
	// maxHeld bounds what one request may have us hold in memory. SDKs send 20 MiB;
	// large values go to the disk at once and do not count.
	maxHeld = 64 << 20
	// maxAllHeld bounds what all of them may.
	maxAllHeld = 512 << 20
)

// body is what a request brings, decoded.
type body struct {
	io.Reader
	h    *Handler
	held int64
	done []func()
}

// openBody opens the body of a request. It must be closed.
func (h *Handler) openBody(w http.ResponseWriter, r *http.Request) (*body, error) {
	if r.ContentLength > maxBody {
		return nil, errTooLarge
	}
	b := &body{h: h}
	came := io.Reader(&timely{from: http.MaxBytesReader(w, r.Body, maxBody), control: http.NewResponseController(w), stalled: h.Stalled})
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		b.Reader = came
	case "gzip":
		unzip, err := gzip.NewReader(came)
		if err != nil {
			return nil, unreadable(err)
		}
		b.Reader = unzip
	case "zstd":
		decoder, err := openZstd(came)
		if err != nil {
			return nil, unreadable(err)
		}
		b.Reader, b.done = decoder, append(b.done, func() { closeZstd(decoder) })
	default:
		return nil, slipway.Errorf(slipway.CodeInvalid, "Content-Encoding %.50q is not read here: use gzip, zstd or none.", encoding)
	}
	b.Reader = &bounded{b.Reader, maxBody}
	return b, nil
}

// hold counts memory that the request takes until it is closed.
func (b *body) hold(n int64) error {
	if b.held+n > maxHeld {
		return slipway.Errorf(slipway.CodeTooLarge, "The runs of one request take more than %d MiB: send them in several.", maxHeld>>20)
	}
	if !b.h.memory.take(n) {
		return slipway.Errorf(slipway.CodeUnavailable, "Too many runs come at once. Send the request again.")
	}
	b.held += n
	return nil
}

func (b *body) close() {
	b.h.memory.giveBack(b.held)
	for _, done := range b.done {
		done()
	}
}

// budget is what is left of the memory for requests.
type budget struct{ taken atomic.Int64 }

func (b *budget) take(n int64) bool {
	if b.taken.Add(n) > maxAllHeld {
		b.taken.Add(-n)
		return false
	}
	return true
}

func (b *budget) giveBack(n int64) { b.taken.Add(-n) }

var errTooLarge = slipway.Errorf(slipway.CodeTooLarge, "A request has at most %d MiB: send its runs in several.", maxBody>>20)

// unreadable is why a body could not be read to its end: what is the client's
// doing is told to it.
func unreadable(err error) error {
	switch tooLarge := (*http.MaxBytesError)(nil); {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case errors.Is(err, errSlow), errors.Is(err, context.Canceled), slipway.CodeOf(err) != "":
		return err
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return slipway.Errorf(slipway.CodeTooLarge, "The zstd frame needs a window of more than %d MiB: use a lower level.", maxWindow>>20)
	}
	return slipway.Errorf(slipway.CodeInvalid, "The request could not be read: %v.", err)
}

// bounded fails where its reader goes on for too long: a small body may decode
// to a huge one.
type bounded struct {
	io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// buffers are kept for others, as decoders are. What reads forms asks for little
// at a time, and each time is a call of the system.
var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}

// buffered reads ahead, until the body is closed.
func (b *body) buffered() io.Reader {
	ahead := buffers.Get().(*bufio.Reader)
	ahead.Reset(b.Reader)
	b.done = append(b.done, func() {
		ahead.Reset(nil)
		buffers.Put(ahead)
	})
	return ahead
}

// timely fails with errSlow when nothing comes for a while. How long all of it
// takes is not bounded.
type timely struct {
	from    io.Reader
	control *http.ResponseController
	stalled time.Duration
}

func (t *timely) Read(p []byte) (int, error) {
	_ = t.control.SetReadDeadline(time.Now().Add(t.stalled))
	n, err := t.from.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, errSlow
	}
	if err != nil {
		_ = t.control.SetReadDeadline(time.Time{}) // the connection serves others
	}
	return n, err
}

// decoders are kept for others: making one costs more than most bodies.
var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		panic(err) // by the options above
	}
	return d
}}

func openZstd(r io.Reader) (*zstd.Decoder, error) {
	d := decoders.Get().(*zstd.Decoder)
	if err := d.Reset(r); err != nil {
		closeZstd(d)
		return nil, err
	}
	return d, nil
}

func closeZstd(d *zstd.Decoder) {
	if d.Reset(nil) == nil {
		decoders.Put(d)
	}
}
