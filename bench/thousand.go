package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	// many is how many deployments a small machine should carry.
	many = 1000
	// idleFor is how long what is idle is watched.
	idleFor = 30 * time.Second
)

// thousand deploys a thousand agents that cost nothing, so that all that is
// seen is ours, and then watches the server do nothing.
func thousand(ctx context.Context, l *lab) ([]row, error) {
	s, err := l.standInServer(ctx, "")
	if err != nil {
		return nil, err
	}
	defer s.end()
	app, err := standInApp()
	if err != nil {
		return nil, err
	}
	c, err := deployCrowd(ctx, l, s, many, app)
	if err != nil {
		return nil, err
	}
	rows := []row{
		single(fmt.Sprintf("%d deployments on the driver in memory: first PATCH to last DEPLOYED", many), millis(c.took)).
			with(atMost(c.took, 10*time.Second, "10 s")).
			against("%s of the server's CPU each", millis(c.cpu/many)),
	}
	i, err := l.watchIdle(ctx, s)
	if err != nil {
		return rows, err
	}
	store := goal{"nothing is written", i.store == "unchanged" && i.written == 0}
	return append(rows,
		single("then idle: memory (PSS)", megabytes(i.pss)).with(atMost(i.pss, 100e6, "100 MB")),
		single("then idle: CPU", percent(i.cpu)).with(goal{"< 0.5 %", i.cpu < 0.005}),
		single("then idle: the store's files", i.store).with(store).against("%d bytes written by the process", i.written),
	), nil
}

// idle is what a server does that has nothing to do.
type idle struct {
	pss     int64
	rss     int64
	cpu     float64 // share of one core
	written int64   // bytes
	store   string  // what became of the store's files
}

// watchIdle lets a server settle, and then watches it.
func (l *lab) watchIdle(ctx context.Context, s *server) (i idle, err error) {
	l.say("  idle for %v", idleFor)
	if err := pause(ctx, 5*time.Second); err != nil {
		return i, err
	}
	cpu, wrote, files, err := used(s)
	if err != nil {
		return i, err
	}
	if err := pause(ctx, idleFor); err != nil {
		return i, err
	}
	cpuAfter, wroteAfter, filesAfter, err := used(s)
	if err != nil {
		return i, err
	}
	i.cpu, i.written, i.store = (cpuAfter-cpu).Seconds()/idleFor.Seconds(), wroteAfter-wrote, "unchanged"
	if filesAfter != files {
		i.store = "changed"
	}
	if i.rss, err = resident(s.pid()); err != nil {
		return i, err
	}
	i.pss, err = pss(s.pid())
	return i, err
}

// used is what a server has used and written so far.
func used(s *server) (cpu time.Duration, wrote int64, files string, err error) {
	if cpu, err = cpuTime(s.pid()); err != nil {
		return cpu, wrote, files, err
	}
	if wrote, err = written(s.pid()); err != nil {
		return cpu, wrote, files, err
	}
	files, err = storeFiles(s.data)
	return cpu, wrote, files, err
}

// storeFiles describes the files of the store, so that any write shows.
func storeFiles(data string) (description string, err error) {
	paths, err := filepath.Glob(filepath.Join(data, "slipway.db*"))
	for _, path := range paths {
		about, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		description += fmt.Sprintln(filepath.Base(path), about.Size(), about.ModTime().UnixNano())
	}
	return description, err
}
