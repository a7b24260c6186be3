// Package accesslog writes a line for each request, and never makes one wait.
//
// Lines are JSON objects. [Log.Write] hands a record over and returns; one
// goroutine writes, a batch at a time. While the disk is slower than requests
// come, records are dropped, and as soon as it takes lines again one says how
// many: {"time": …, "dropped": 17}.
package accesslog

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxWaiting = 8192     // records that are not written yet
	maxBatch   = 64 << 10 // bytes written at once
)

// Log writes records to a file.
type Log struct {
	path    string // "" if out is not ours to open again
	out     io.Writer
	logger  *slog.Logger
	records chan Record
	reopen  chan struct{}
	dropped atomic.Uint64
	stop    chan struct{}
	end     func() error
	done    sync.WaitGroup

	batch    []byte // what is written, to be used again
	troubled bool   // a failure was logged and nothing has gone well since
}

// Open appends to a file, which is made if it is not there.
func Open(path string, logger *slog.Logger) (*Log, error) {
	out, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("open access log: %w", err)
	}
	return start(&Log{path: path, out: out, logger: logger}), nil
}

// New writes to out, which it does not close.
func New(out io.Writer, logger *slog.Logger) *Log {
	return start(&Log{out: out, logger: logger})
}

func start(l *Log) *Log {
	l.records, l.reopen, l.stop = make(chan Record, maxWaiting), make(chan struct{}, 1), make(chan struct{})
	l.end = sync.OnceValue(l.shut)
	l.done.Go(l.run)
	return l
}

func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
}

// Write hands a record over, or drops it.
func (l *Log) Write(r Record) {
	select {
	case l.records <- r:
	default:
		l.dropped.Add(1)
	}
}

// Reopen opens the file anew, after it was moved away. It returns before that is
// done.
func (l *Log) Reopen() {
	select {
	case l.reopen <- struct{}{}:
	default:
	}
}

// Close writes what was handed over and ends. Nothing is written afterwards.
func (l *Log) Close() error { return l.end() }

func (l *Log) shut() error {
	close(l.stop)
	l.done.Wait()
	if f, ok := l.out.(*os.File); ok && l.path != "" {
		return f.Close()
	}
	return nil
}

func (l *Log) run() {
	for {
		select {
		case r := <-l.records:
			l.write(r)
		case <-l.reopen:
			l.openAgain()
		case <-l.stop:
			l.drain()
			return
		}
	}
}

// drain writes what waits when the log is closed.
func (l *Log) drain() {
	for len(l.records) > 0 {
		l.write(<-l.records)
	}
}

// write writes a record and those that have come meanwhile.
func (l *Log) write(r Record) {
	batch, n := r.append(l.batch[:0]), uint64(1)
	for len(batch) < maxBatch && len(l.records) > 0 {
		r = <-l.records
		batch = r.append(batch)
		n++
	}
	lost := l.dropped.Swap(0)
	if lost > 0 {
		batch = appendDropped(batch, time.Now(), lost)
	}
	l.batch = batch
	_, err := l.out.Write(batch)
	if err != nil {
		l.dropped.Add(n + lost)
	}
	l.tell(err)
}

// tell says once that nothing can be written.
func (l *Log) tell(err error) {
	if err != nil && !l.troubled {
		l.logger.Warn("access log not written", slog.Any("error", err))
	}
	l.troubled = err != nil
}

// openAgain goes on with the old file if there is no new one.
func (l *Log) openAgain() {
	old, ok := l.out.(*os.File)
	if !ok || l.path == "" {
		return
	}
	file, err := openFile(l.path)
	if err != nil {
		l.logger.Warn("access log not opened again", slog.Any("error", err))
		return
	}
	l.out = file
	_ = old.Close()
}
