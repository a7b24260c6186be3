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
	// gatherFor is how long records are gathered before they are written: to be
	// woken for each of them would cost more than all else here.
	gatherFor = 20 * time.Millisecond
)

// Log writes records to a file.
type Log struct {
	path    string // "" if out is not ours to open again
	out     io.Writer
	logger  *slog.Logger
	wake    chan struct{} // holds one when there are records
	reopen  chan struct{}
	dropped atomic.Uint64
	stop    chan struct{}
	end     func() error
	done    sync.WaitGroup

	mu      sync.Mutex
	waiting []Record // at most maxWaiting

	taken    []Record // what waited, its memory to be used again
	batch    []byte   // what is written, likewise
	troubled bool     // a failure was logged and nothing has gone well since
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
	l.wake, l.reopen, l.stop = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
	l.end = sync.OnceValue(l.shut)
	l.done.Go(l.run)
	return l
}

func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
}

// Write hands a record over, or drops it.
func (l *Log) Write(r Record) {
	if !l.put(&r) {
		l.dropped.Add(1)
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// put has a record wait, if not too many do.
func (l *Log) put(r *Record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == maxWaiting {
		return false
	}
	l.waiting = append(l.waiting, *r)
	return true
}

// take returns what waits, which is good until the next call.
func (l *Log) take() []Record {
	clear(l.taken) // the texts may go
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken, l.waiting = l.waiting, l.taken[:0]
	return l.taken
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
		case <-l.wake:
			l.gather()
			l.drain()
		case <-l.reopen:
			l.openAgain()
		case <-l.stop:
			l.drain()
			return
		}
	}
}

// gather waits until there is a batch to write, or the log is closed.
func (l *Log) gather() {
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.stop:
	}
}

// drain writes what waits.
func (l *Log) drain() {
	for records := l.take(); len(records) > 0; {
		if records = records[l.write(records):]; len(records) == 0 {
			records = l.take()
		}
	}
}

// write writes a batch of records and returns how many those were.
func (l *Log) write(records []Record) (n int) {
	batch := l.batch[:0]
	for n < len(records) && len(batch) < maxBatch {
		batch = records[n].append(batch)
		n++
	}
	lost := l.dropped.Swap(0)
	if lost > 0 {
		batch = appendDropped(batch, time.Now(), lost)
	}
	l.batch = batch
	_, err := l.out.Write(batch)
	if err != nil {
		l.dropped.Add(uint64(n) + lost)
	}
	l.tell(err)
	return n
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
