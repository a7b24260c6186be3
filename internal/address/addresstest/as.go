package addresstest

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// GetAs asks an address for a path as a user of its own, which takes root, and
// returns the first line of the answer.
func GetAs(uid int, address, path string) (string, error) {
	c, err := dialAs(uid, address)
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path); err != nil {
		return "", fmt.Errorf("ask: %w", err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("answer: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// dialAs connects in a thread that becomes the user, as far as files and sockets
// go, and then ends.
func dialAs(uid int, address string) (*os.File, error) {
	family, to, err := sockaddr(address)
	if err != nil {
		return nil, err
	}
	var fd int
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(uid), 0, 0)
		if fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return
		}
		if err = unix.Connect(fd, to); err != nil {
			unix.Close(fd)
		}
	}()
	<-done
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), address), nil
}

func sockaddr(address string) (family int, to unix.Sockaddr, err error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		name, err := Short(path)
		return unix.AF_UNIX, &unix.SockaddrUnix{Name: name}, err
	}
	end, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0, nil, err
	}
	return unix.AF_INET, &unix.SockaddrInet4{Port: int(end.Port()), Addr: end.Addr().As4()}, nil
}
