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

// watchdog writes the diary, and notices when many lines come while no time
// passes: somebody turns in circles. It lets time pass then, so that the test
// ends.
type watchdog struct {
	slog.Handler
	w     *world
	count *count
}

type count struct {
	mu    sync.Mutex
	at    time.Time
	lines int
}

// tooMuch is more than happens at one moment without going in circles.
const tooMuch = 3000

func newWatchdog(w *world) watchdog {
	return watchdog{Handler: slog.NewTextHandler(w.said, &slog.HandlerOptions{Level: slog.LevelDebug}), w: w, count: &count{}}
}

func (d watchdog) Handle(ctx context.Context, r slog.Record) error {
	err := d.Handler.Handle(ctx, r)
	if d.count.add() > tooMuch {
		d.w.fault("something turns in circles: %s", r.Message)
		time.Sleep(time.Minute)
	}
	return err
}

func (c *count) add() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); !now.Equal(c.at) {
		c.at, c.lines = now, 0
	}
	c.lines++
	return c.lines
}

func (d watchdog) WithAttrs(attrs []slog.Attr) slog.Handler {
	d.Handler = d.Handler.WithAttrs(attrs)
	return d
}
