// Package address is how addresses of agents are written, stand in URLs and are
// reached: host:port, or unix: and the path of a socket.
//
// A path may be longer than the name of a socket can be (108 bytes), and what is
// dialled lies where an agent may write, who could put a link to any other socket
// in its place. So a socket is reached through its folder, and only if the user
// who listens there is the one whose folder it is.
package address

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	socketPrefix = "unix:"    // of an address that is a socket's path
	socketHost   = ".unix:80" // ends the host that stands for one
)

// OfSocket is the address of a socket.
func OfSocket(path string) string { return socketPrefix + path }

// Host makes of an address what may stand in a URL, so that a transport tells the
// connections of sockets apart.
func Host(address string) string {
	if path, ok := strings.CutPrefix(address, socketPrefix); ok {
		return hex.EncodeToString([]byte(path)) + socketHost
	}
	return address
}

// socketOf is the way back.
func socketOf(host string) (path string, ok bool) {
	name, ok := strings.CutSuffix(host, socketHost)
	if !ok {
		return "", false
	}
	raw, err := hex.DecodeString(name)
	return string(raw), err == nil
}

// Dialer reaches what [Host] made of an address, for a transport.
func Dialer(d *net.Dialer) func(ctx context.Context, network, host string) (net.Conn, error) {
	return func(ctx context.Context, network, host string) (net.Conn, error) {
		path, ok := socketOf(host)
		if !ok {
			return d.DialContext(ctx, network, host)
		}
		if d.Timeout > 0 {
			limited, cancel := context.WithTimeout(ctx, d.Timeout)
			defer cancel()
			ctx = limited
		}
		c, err := DialSocket(ctx, path)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
}

// ErrStranger means that who listens on a socket is not whose folder it lies in.
var ErrStranger = errors.New("listens in the folder")

// DialSocket reaches who listens on a socket, if that is who may.
func DialSocket(ctx context.Context, path string) (*net.UnixConn, error) {
	folder, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, refused(path, err)
	}
	defer unix.Close(folder)
	var stat unix.Stat_t
	if err := unix.Fstat(folder, &stat); err != nil {
		return nil, refused(path, err)
	}
	c, err := connect(ctx, "/proc/self/fd/"+strconv.Itoa(folder)+"/"+filepath.Base(path))
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			op.Addr = nameOf(path)
		}
		return nil, err
	}
	peer, err := Peer(c)
	if err == nil && peer.Uid != stat.Uid {
		err = fmt.Errorf("user %d %w of user %d", peer.Uid, ErrStranger, stat.Uid)
	}
	if err != nil {
		c.Close()
		return nil, refused(path, err)
	}
	return c, nil
}

func refused(path string, err error) error {
	return &net.OpError{Op: "dial", Net: "unix", Addr: nameOf(path), Err: err}
}

func nameOf(path string) net.Addr { return &net.UnixAddr{Name: path, Net: "unix"} }

// longestPause is between two tries to connect.
const longestPause = 50 * time.Millisecond

// connect waits while too many connections are not taken yet, as it would at a
// port: of a socket the kernel says so instead.
func connect(ctx context.Context, name string) (*net.UnixConn, error) {
	var d net.Dialer
	var full error
	for pause := time.Millisecond; ; pause = min(2*pause, longestPause) {
		c, err := d.DialContext(ctx, "unix", name)
		switch {
		case err == nil:
			return c.(*net.UnixConn), nil
		case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded): // perhaps before this try began, or before ctx tells
			return nil, errors.Join(full, err)
		case !errors.Is(err, syscall.EAGAIN):
			return nil, err
		}
		full = err
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// Peer is the process that listens, or listened as it was last heard of, on the
// socket that a connection was made to.
func Peer(c *net.UnixConn) (*unix.Ucred, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var peer *unix.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) {
		peer, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	return peer, asked
}
