package command

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/slipwayhq/slipway/internal/confine"
)

const (
	// lookEvery is how often processes are looked at.
	lookEvery = 250 * time.Millisecond
	// To look at the disk takes at most this part of the time.
	diskShare = 20
)

// watched is a context that ends with a failure when a limit is hit.
func (r *run) watched(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	inner, stop := context.WithCancelCause(ctx)
	if wall := r.limits().Wall; wall > 0 {
		timed, cancel := context.WithTimeoutCause(inner, wall, r.limits().tookTooLong(r.step))
		return timed, func(cause error) { stop(cause); cancel() }
	}
	return inner, stop
}

// watch looks at limits that nobody else keeps, until its end is called.
func (r *run) watch(ctx context.Context, stop context.CancelCauseFunc) (end func()) {
	if r.box == nil {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		var nextDisk time.Time
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case now := <-tick.C:
				err := r.overTree()
				if err == nil && now.After(nextDisk) {
					err = r.overDisk()
					nextDisk = time.Now().Add(diskShare * time.Since(now))
				}
				if err != nil {
					stop(err)
					return
				}
			}
		}
	}()
	return func() { close(done); <-gone }
}

// overTree is a failure if the processes took more than they may.
func (r *run) overTree() error {
	limits := r.limits()
	memory, processes := r.box.groups.Missing()
	spent, counted := time.Duration(0), false
	if r.group != nil {
		spent, counted = r.group.CPU()
	}
	if !counted || memory != nil || processes != nil {
		all := r.tree()
		if !counted {
			spent = all.cpu
		}
		switch {
		case memory != nil && limits.Memory > 0 && all.memory > limits.Memory:
			return limits.outOfMemory(r.step)
		case processes != nil && limits.Processes > 0 && all.threads > limits.Processes:
			return limits.tooManyProcesses(r.step)
		}
	}
	if limits.CPU > 0 && spent > limits.CPU {
		return limits.computedTooLong(r.step)
	}
	return nil
}

// usage of processes.
type usage struct {
	memory  int64 // bytes resident; what they share counts for each
	threads int64
	cpu     time.Duration // of those that live and those that they waited for
}

func (r *run) tree() usage {
	var all usage
	for _, pid := range r.members() {
		all.add(pid)
	}
	return all
}

// members of the program's tree.
func (r *run) members() []int {
	switch {
	case r.group != nil:
		return r.group.Processes()
	case r.as == App && r.user != nil:
		return of(r.user.UID)
	}
	return append(confine.Descendants(r.pid), r.pid)
}

// clockTick is what the kernel counts processor time in, on every architecture
// that Go runs on.
const clockTick = 10 * time.Millisecond

// Fields of /proc/<pid>/stat, from the state on.
const (
	statCPU     = 11 // four: its own and its children's, in user and system mode
	statThreads = 17
	statPages   = 21
)

func (u *usage) add(pid int) {
	fields := stat(pid)
	if len(fields) <= statPages {
		return
	}
	number := func(i int) int64 { n, _ := strconv.ParseInt(fields[i], 10, 64); return n }
	u.memory += number(statPages) * int64(os.Getpagesize())
	u.threads += number(statThreads)
	for i := range 4 {
		u.cpu += time.Duration(number(statCPU+i)) * clockTick
	}
}

// stat returns the fields of a process's state, nil if it is gone.
func stat(pid int) []string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// overDisk is a failure if the folders hold more than they may.
func (r *run) overDisk() error {
	limits := r.limits()
	if limits.Disk == 0 && limits.Files == 0 {
		return nil
	}
	var all disk
	for _, folder := range r.disk {
		if err := all.add(folder); err != nil {
			return err
		}
	}
	switch {
	case limits.Disk > 0 && all.bytes > limits.Disk:
		return limits.tooMuchDisk(r.step)
	case limits.Files > 0 && all.files > limits.Files:
		return limits.tooManyFiles(r.step)
	}
	return nil
}

// disk space that folders take.
type disk struct {
	bytes, files int64
	linked       map[uint64]bool // files with several names that were counted
}

func (d *disk) add(folder string) error {
	return filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil // it goes away, or is closed, while it is looked at
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		d.files++
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || d.linked[stat.Ino] {
			return nil
		}
		if stat.Nlink > 1 && !info.IsDir() {
			if d.linked == nil {
				d.linked = map[uint64]bool{}
			}
			d.linked[stat.Ino] = true
		}
		d.bytes += stat.Blocks * 512
		return nil
	})
}
