package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	driver "modernc.org/sqlite"

	"github.com/slipwayhq/slipway/trace/store"
)

// keepOpen is how many days are open at once, unless more are used.
const keepOpen = 16

const (
	suffix = ".db"
	gone   = ".gone" // follows the name of a day that is being removed
)

// Engine is a store.Engine in a folder.
type Engine struct {
	folder string

	mu    sync.Mutex
	days  map[store.Date]*day // all that there are
	clock uint64              // counts uses
	left  sync.Cond           // somebody has left a day
}

var _ store.Engine = (*Engine)(nil)

// Open opens or makes the folder and brings all days up to date. The error is
// store.ErrNewer if a newer Slipway wrote one.
func Open(ctx context.Context, folder string) (*Engine, error) {
	// A commit waits for its data and the file's size, not for a time stamp.
	if _, err := driver.Fdatasync(true); err != nil && !errors.Is(err, driver.ErrFdatasyncUnavailable) {
		return nil, fmt.Errorf("open traces: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of traces: %w", err)
	}
	e := &Engine{folder: folder, days: map[store.Date]*day{}}
	e.left.L = &e.mu
	dates, err := e.list()
	if err != nil {
		return nil, fmt.Errorf("list traces: %w", err)
	}
	for _, d := range dates {
		e.days[d] = newDay(e.path(d), d)
		if err := e.use(ctx, d, false, func(*day) error { return nil }); err != nil {
			return nil, errors.Join(fmt.Errorf("open traces of %s: %w", d, err), e.Close())
		}
	}
	return e, nil
}

// list names the days of the folder, and ends removals that were begun.
func (e *Engine) list() (dates []store.Date, err error) {
	entries, err := os.ReadDir(e.folder)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if day, ok := strings.CutSuffix(name, gone); ok {
			if err := remove(filepath.Join(e.folder, day)); err != nil {
				return nil, err
			}
		}
		text, ok := strings.CutSuffix(name, suffix)
		if at, err := time.Parse(time.DateOnly, text); ok && err == nil {
			dates = append(dates, store.DateOf(at))
		}
	}
	return dates, nil
}

func (e *Engine) path(d store.Date) string { return filepath.Join(e.folder, d.String()+suffix) }

// remove ends the removal of a day's files. The first step, which decides, is to
// give its file another name: a log without its file is nothing.
func remove(path string) error {
	if err := os.Rename(path, path+gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range [...]string{path + "-wal", path + "-shm", path + gone} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// use runs fn with a day that is open meanwhile. One that is not there is made if
// that is asked for, else fn is not run.
func (e *Engine) use(ctx context.Context, d store.Date, create bool, fn func(*day) error) error {
	at, err := e.enter(d, create)
	if at == nil || err != nil {
		return err
	}
	defer e.leave(at)
	if err := at.open(ctx); err != nil {
		return err
	}
	return fn(at)
}

func (e *Engine) leave(at *day) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at.users--
	e.left.Broadcast()
}

// enter counts somebody into a day, and closes others. Who would make one that is
// being dropped waits, and makes it anew.
func (e *Engine) enter(d store.Date, create bool) (*day, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.days[d]
	for create && at != nil && at.gone {
		e.left.Wait()
		at = e.days[d]
	}
	if at == nil && !create || at != nil && at.gone {
		return nil, nil
	}
	if at == nil {
		at = newDay(e.path(d), d)
		e.days[d] = at
	}
	for _, other := range e.idle(at) {
		if err := other.close(); err != nil {
			return nil, fmt.Errorf("close traces of %s: %w", other.date, err)
		}
	}
	e.clock++
	at.users, at.used = at.users+1, e.clock
	return at, nil
}

// idle are the days that are to be closed when another is used.
func (e *Engine) idle(next *day) []*day {
	var open []*day
	for _, d := range e.days {
		if d != next && d.users == 0 && d.isOpen() {
			open = append(open, d)
		}
	}
	slices.SortFunc(open, func(a, b *day) int { return int(b.used) - int(a.used) })
	if len(open) <= keepOpen {
		return nil
	}
	return open[keepOpen:]
}

// Days implements store.Engine. A day that was only asked for is none.
func (e *Engine) Days(context.Context) ([]store.Known, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var known []store.Known
	for _, d := range e.days {
		if k, ok := d.knows(); ok && !d.gone {
			known = append(known, k)
		}
	}
	slices.SortFunc(known, func(a, b store.Known) int { return int(a.Date - b.Date) })
	return known, nil
}

// Update implements store.Engine.
func (e *Engine) Update(ctx context.Context, d store.Date, fn func(store.Tx) error) error {
	return e.use(ctx, d, true, func(at *day) error { return at.update(ctx, fn) })
}

// View implements store.Engine.
func (e *Engine) View(ctx context.Context, d store.Date, fn func(store.Tx) error) error {
	return e.use(ctx, d, false, func(at *day) error { return at.view(ctx, fn) })
}

// Drop implements store.Engine. It waits for those who read the day; others do
// not find it any more.
func (e *Engine) Drop(_ context.Context, d store.Date) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.days[d]
	if at == nil || at.gone {
		return nil
	}
	at.gone = true
	for at.users > 0 {
		e.left.Wait()
	}
	delete(e.days, d)
	defer e.left.Broadcast()
	return errors.Join(at.close(), remove(at.path))
}

// Trim implements store.Engine.
func (e *Engine) Trim(ctx context.Context, d store.Date) error {
	return e.use(ctx, d, false, func(at *day) error { return at.trim(ctx) })
}

// Size implements store.Engine.
func (e *Engine) Size(_ context.Context, d store.Date) (int64, error) {
	var all int64
	for _, name := range [...]string{"", "-wal", "-shm"} {
		info, err := os.Stat(e.path(d) + name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		if err == nil {
			all += info.Size()
		}
	}
	return all, nil
}

// Close implements store.Engine. Nothing is used any more.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, d := range e.days {
		errs = append(errs, d.close())
	}
	return errors.Join(errs...)
}
