package mask

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/slipwayhq/slipway"
)

// Writer masks line by line, however the lines arrive. Flush hands on a last one
// without an end.
type Writer struct {
	masker *Masker
	to     io.Writer

	mu   sync.Mutex
	rest []byte
}

// Writer masks what goes to another one, a line at a time.
func (m *Masker) Writer(to io.Writer) *Writer { return &Writer{masker: m, to: to} }

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	end := bytes.LastIndexByte(w.rest, '\n') + 1
	if end == 0 {
		return len(p), nil
	}
	_, err := io.WriteString(w.to, w.masker.String(string(w.rest[:end])))
	w.rest = append(w.rest[:0], w.rest[end:]...)
	return len(p), err
}

// Flush hands on what has come of a line.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := io.WriteString(w.to, w.masker.String(string(w.rest)))
	w.rest = nil
	return err
}

// Error masks an error's text: a *slipway.Failure is one still, with all that
// it says masked, and every other is what it was to errors.Is.
func (m *Masker) Error(err error) error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*slipway.Failure](err); ok {
		masked := *f
		masked.Message, masked.Hint = m.String(f.Message), m.String(f.Hint)
		return &masked
	}
	if text := m.String(err.Error()); text != err.Error() {
		return masked{text, err}
	}
	return err
}

// masked is an error of which only another text may be shown.
type masked struct {
	text string
	err  error
}

func (e masked) Error() string { return e.text }

func (e masked) Unwrap() error { return e.err }
