package simulation

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// diary keeps the last lines of the log.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lines = append(d.lines, string(p)); len(d.lines) > 600 {
		d.lines = d.lines[300:]
	}
	return len(p), nil
}

func (d *diary) last() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines[max(0, len(d.lines)-150):], "")
}

// watchdog notices when much happens while no time passes: somebody turns in
// circles. It lets time pass then, so that the test ends.
type watchdog struct {
	w  *world
	mu sync.Mutex
	at time.Time
	n  int
}

// tooMuch is more than happens at one moment without going in circles.
const tooMuch = 3000

// pet is called whenever something happens.
func (d *watchdog) pet(what string) {
	d.mu.Lock()
	if now := time.Now(); !now.Equal(d.at) {
		d.at, d.n = now, 0
	}
	d.n++
	circles := d.n > tooMuch
	d.mu.Unlock()
	if circles {
		d.w.fault("something turns in circles: %s", what)
		time.Sleep(time.Minute)
	}
}

// watchedLog is a log that the watchdog hears.
type watchedLog struct {
	slog.Handler
	dog *watchdog
}

func (l watchedLog) Handle(ctx context.Context, r slog.Record) error {
	l.dog.pet(r.Message)
	return l.Handler.Handle(ctx, r)
}

func (l watchedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return watchedLog{l.Handler.WithAttrs(attrs), l.dog}
}
