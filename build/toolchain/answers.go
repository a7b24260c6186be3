package toolchain

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/slipwayhq/slipway/build/internal/command"
)

// memory of what candidates said when they were run.
type memory struct {
	mu   sync.Mutex
	said map[string]answer // by path of the candidate
}

type answer struct {
	size  int64
	time  time.Time
	lines []string // none: it does not run
}

// answers runs a candidate, once for as long as its file stays the same, and
// returns what it says; nothing if it does not end well.
func (t *Toolchains) answers(ctx context.Context, path string, args ...string) []string {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return nil
	}
	t.memory.mu.Lock()
	last, known := t.memory.said[path]
	t.memory.mu.Unlock()
	if !known || last.size != info.Size() || !last.time.Equal(info.ModTime()) {
		last = answer{info.Size(), info.ModTime(), t.hear(ctx, path, args)}
		if ctx.Err() != nil {
			return nil
		}
		t.memory.mu.Lock()
		t.memory.said[path] = last
		t.memory.mu.Unlock()
	}
	return last.lines
}

// askFor is how long a candidate may take to answer, on a machine with much to do
// and from a cold disk too.
const askFor = time.Minute

func (t *Toolchains) hear(ctx context.Context, path string, args []string) []string {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	var lines []string
	c := command.Command{
		Args: slices.Concat([]string{path}, args),
		Dir:  "/", Env: Environment(filepath.Dir(path), os.TempDir()), As: command.Server,
		Line: func(line string) { lines = append(lines, line) },
	}
	if code, err := c.Run(ctx); err != nil || code != 0 {
		return nil
	}
	return lines
}

// exists says whether a program is at an absolute path.
func exists(path string) bool {
	_, err := os.Stat(path)
	return filepath.IsAbs(path) && err == nil
}
