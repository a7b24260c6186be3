// Package addresstest is for what stands in for agents.
package addresstest

import (
	"net"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Short is another name for a socket, whose own may be too long to bind or to
// dial. It holds as long as the process lives.
func Short(path string) (string, error) {
	folder, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_CLOEXEC, 0)
	return "/proc/self/fd/" + strconv.Itoa(folder) + "/" + filepath.Base(path), err
}

// Listen listens on a socket as agents do.
func Listen(path string) (*net.UnixListener, error) {
	name, err := Short(path)
	if err != nil {
		return nil, err
	}
	return net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
}
