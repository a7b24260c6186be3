package command

import (
	"fmt"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/internal/failure"
)

// Limits of the programs of a build. 0 is none.
type Limits struct {
	Wall      time.Duration // of each program; the revision's own deadline holds besides
	CPU       time.Duration // of each program with all its descendants
	Memory    int64         // bytes, of each program with all its descendants
	Processes int64         // of each program with all its descendants, threads included
	Disk      int64         // bytes below the folders that a build writes to
	Files     int64         // in them, folders included
	Output    int64         // bytes that each program may write to the log; the rest is cut off
}

// DefaultLimits let the largest of usual apps be built, and keep one build from
// taking a machine down.
func DefaultLimits() Limits {
	return Limits{
		Wall:      12 * time.Minute,
		CPU:       30 * time.Minute,
		Memory:    4 << 30,
		Processes: 2048,
		Disk:      10 << 30,
		Files:     1_000_000,
		Output:    10 << 20,
	}
}

// exceeded makes failures of limits. Each has a setting of the server.
func exceeded(step, code, setting, format string, args ...any) *slipway.Failure {
	return failure.WithHint(failure.New(step, code, format, args...), "Whoever runs the server can set %s.", setting)
}

func (l Limits) tookTooLong(step string) error {
	return exceeded(step, "timeout", "--build-timeout", "It took longer than %s.", l.Wall)
}

func (l Limits) computedTooLong(step string) error {
	return exceeded(step, "timeout", "--build-cpu-time", "It took more than %s of processor time.", l.CPU)
}

func (l Limits) outOfMemory(step string) error {
	return exceeded(step, "out_of_memory", "--build-memory", "It needed more memory than the %s that a build may have.", size(l.Memory))
}

func (l Limits) tooManyProcesses(step string) error {
	return exceeded(step, "too_many_processes", "--build-processes", "It wanted more than the %d processes and threads that a build may have.", l.Processes)
}

func (l Limits) tooMuchDisk(step string) error {
	return exceeded(step, "disk_quota", "--build-disk", "It wrote more than the %s that a build may have on the disk.", size(l.Disk))
}

func (l Limits) tooManyFiles(step string) error {
	return exceeded(step, "disk_quota", "--build-files", "It made more than the %d files and folders that a build may have.", l.Files)
}

// heapFull is for a program that set itself a limit: Node does by the memory
// that it finds.
func heapFull(step string, line string) error {
	return failure.WithHint(failure.New(step, "out_of_memory", "It ran out of memory: %s", line),
		"Node's own limit is set by NODE_OPTIONS=--max-old-space-size=<MiB> in the app's scripts; whoever runs the server can set --build-memory.")
}

func size(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.bytes {
			return fmt.Sprintf("%.4g %s", float64(n)/float64(unit.bytes), unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
