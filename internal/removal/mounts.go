package removal

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Unmounted fails if something is mounted at a path or below it: what it holds is
// somebody else's, and would be removed before the mount itself is found to be in
// the way.
func Unmounted(path string) error {
	mounts.Lock()
	defer mounts.Unlock()
	return mounts.check(path)
}

// SetAside renames what is to be removed, unless something is mounted there. What
// is not there is removed already.
func SetAside(path, to string) error {
	mounts.Lock()
	defer mounts.Unlock() // the kernel does not tell that what is mounted has another name now
	err := mounts.check(path)
	if err == nil {
		err = Explain(os.Rename(path, to))
	}
	if err != nil && !Absent(err) {
		return fmt.Errorf("set aside what is to be removed: %w", err)
	}
	return nil
}

// resolved is where a path leads, without a link in its place being followed.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(folder, filepath.Base(path))
	}
	return path
}

const mountinfo = "/proc/self/mountinfo"

// mounts is what was mounted when that last changed: the kernel tells of a change
// in a moment, and takes long to list what there is.
var mounts mountTable

type mountTable struct {
	sync.Mutex
	watch  []unix.PollFd // empty before the first look
	points []string
}

func (t *mountTable) check(path string) error {
	points, err := t.current()
	if err != nil {
		return fmt.Errorf("see what is mounted: %w", err)
	}
	base := "/" + filepath.Base(path)
	for _, point := range points {
		if !strings.Contains(point, base) {
			continue // without asking where links lead
		}
		if at := resolved(path); point == at || strings.HasPrefix(point, at+"/") {
			return Explain(&fs.PathError{Op: "remove", Path: point, Err: unix.EBUSY})
		}
	}
	return nil
}

func (t *mountTable) current() ([]string, error) {
	if len(t.watch) > 0 {
		if n, err := unix.Poll(t.watch, 0); n == 0 && err == nil {
			return t.points, nil
		}
	} else {
		fd, err := unix.Open(mountinfo, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		t.watch = []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
	}
	text, err := os.ReadFile(mountinfo)
	if err != nil {
		_ = unix.Close(int(t.watch[0].Fd))
		t.watch = nil // it is looked at next time, whatever the kernel says of changes
		return nil, err
	}
	t.points = mountPoints(string(text))
	return t.points, nil
}

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\043`, "#", `\134`, `\`)

// mountPoints reads proc(5)'s list: the fifth field of a line.
func mountPoints(text string) (points []string) {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 4 {
			points = append(points, unescape.Replace(fields[4]))
		}
	}
	return points
}
