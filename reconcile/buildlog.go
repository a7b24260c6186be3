package reconcile

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	// flushAfter is how long a line of a build may wait for others.
	flushAfter = 200 * time.Millisecond
	// longestLine is where a line of a build is cut that does not end.
	longestLine = 64 << 10
	// mostLines wait at a time: a build that prints more waits for them, and
	// where they can not be sent the oldest are dropped.
	mostLines = 2000
)

// buildLog sends lines to the control plane as they come, many at a time and in
// their order.
type buildLog struct {
	send  func([]slipway.LogLine) error
	line  slipway.LogLine
	now   func() time.Time
	flush *time.Timer
	turn  chan struct{} // holds one while lines are sent

	mu     sync.Mutex
	rest   []byte
	lines  []slipway.LogLine
	offset int64
	closed bool
}

func (w *worker) newBuildLog(r slipway.BuildRequest) *buildLog {
	began := w.config.Now()
	line := slipway.LogLine{
		Deployment: r.Deployment, Revision: r.Revision, Kind: slipway.BuildLog, Level: "INFO",
		Origin: fmt.Sprintf("build-%s-%d", r.Revision, began.UnixNano()),
	}
	return newBuildLog(line, w.config.Now, func(lines []slipway.LogLine) error {
		err := w.sync.Log(context.Background(), lines)
		if err != nil {
			w.log.Warn("build log not stored", slog.Any("error", err))
		}
		return err
	})
}

func newBuildLog(line slipway.LogLine, now func() time.Time, send func([]slipway.LogLine) error) *buildLog {
	b := &buildLog{send: send, line: line, now: now, turn: make(chan struct{}, 1)}
	b.flush = time.AfterFunc(time.Hour, b.Flush)
	b.flush.Stop()
	return b
}

// Write takes output; it waits while too many lines do.
func (b *buildLog) Write(p []byte) (int, error) {
	for chunk := range slices.Chunk(p, longestLine) {
		if b.cut(chunk) >= mostLines {
			b.Flush()
		}
	}
	return len(p), nil
}

// cut turns output into lines and says how many wait.
func (b *buildLog) cut(p []byte) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rest = append(b.rest, p...)
	for {
		text, rest, whole := bytes.Cut(b.rest, []byte("\n"))
		switch {
		case whole:
			b.rest = rest
			b.add(text, 1)
		case len(b.rest) >= longestLine:
			b.add(b.rest, 0)
			b.rest = nil
		default:
			return len(b.lines)
		}
	}
}

// add has a line wait to be sent. Its offset counts its end of line too.
func (b *buildLog) add(text []byte, ending int64) {
	b.offset += int64(len(text)) + ending
	line := b.line
	line.Offset, line.At, line.Message = b.offset, b.now(), string(bytes.ToValidUTF8(bytes.TrimRight(text, "\r"), []byte("\uFFFD")))
	if b.lines = append(b.lines, line); len(b.lines) == 1 && !b.closed {
		b.flush.Reset(flushAfter)
	}
}

// Flush sends what waits, after what is being sent.
func (b *buildLog) Flush() {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	b.mu.Lock()
	lines := b.lines
	b.lines = nil
	b.mu.Unlock()
	b.store(lines)
}

// store sends lines, now or later.
func (b *buildLog) store(lines []slipway.LogLine) {
	if len(lines) == 0 {
		return
	}
	if err := b.send(lines); err != nil {
		b.putBack(lines)
	}
}

// putBack has lines wait that could not be sent. To send one twice does no harm.
func (b *buildLog) putBack(lines []slipway.LogLine) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines = append(lines, b.lines...)
	b.lines = lines[max(0, len(lines)-mostLines):]
	if !b.closed {
		b.flush.Reset(5 * flushAfter)
	}
}

// take ends the log and returns all that is left, an unfinished line too, once
// what is being sent has arrived.
func (b *buildLog) take() []slipway.LogLine {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.flush.Stop()
	if len(b.rest) > 0 {
		b.add(b.rest, 1)
	}
	lines := b.lines
	b.lines, b.rest = nil, nil
	return lines
}

// Close ends the log and sends all that is left.
func (b *buildLog) Close() { b.store(b.take()) }
