package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lookAgain is how often it is looked what became of processes.
	lookAgain = 20 * time.Millisecond
	// orphansPatience is how long those may take that lost their first process.
	orphansPatience = 5 * time.Second
)

// adopt finds the first process of a PostgreSQL that runs on our data, nil if none
// does. Then nothing of one is left.
func (s *Server) adopt(ctx context.Context) (*process, error) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	patience := time.NewTimer(orphansPatience)
	defer patience.Stop()
	for kill := false; ; {
		pids, err := within(s.data())
		if err != nil {
			return nil, err
		}
		if len(pids) == 0 {
			return nil, s.unlock()
		}
		first, err := named(s.pidFile())
		if err != nil {
			return nil, err
		}
		if slices.Contains(pids, first) {
			if p, err := s.proven(first); p != nil || err != nil {
				return p, err
			}
		}
		if kill {
			killAll(pids)
		}
		select {
		case <-tick.C:
		case <-patience.C:
			kill = true
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// proven takes hold of a process, and looks again now that its number is its own.
func (s *Server) proven(pid int) (*process, error) {
	p, err := hold(pid)
	if p == nil || err != nil {
		return nil, err
	}
	pids, err := within(s.data())
	if err == nil && slices.Contains(pids, pid) && !p.ended() {
		return p, nil
	}
	p.close()
	return nil, err
}

func killAll(pids []int) {
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// unlock removes lock files that name a process which is another's by now:
// PostgreSQL would take it for its like if it has the same user.
func (s *Server) unlock() error {
	locks, err := filepath.Glob(filepath.Join(s.run(), ".s.PGSQL.*.lock"))
	if err != nil {
		return err
	}
	for _, file := range append(locks, s.pidFile()) {
		pid, err := named(file)
		if err != nil {
			return err
		}
		if pid == 0 || unix.Kill(pid, 0) != nil {
			continue // PostgreSQL sees for itself
		}
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("remove a lock of another time: %w", err)
		}
	}
	return nil
}
