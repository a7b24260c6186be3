package gateway

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// conn is a connection to an agent that counts what is sent on it.
type conn struct {
	net.Conn
	sent   atomic.Int64    // bytes
	socket syscall.RawConn // nil if it is none
	polled [1]unix.PollFd  // by over
}

func newConn(c net.Conn) *conn {
	n := &conn{Conn: c}
	if s, ok := c.(syscall.Conn); ok {
		n.socket, _ = s.SyscallConn()
	}
	return n
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

// CloseWrite ends one direction of a tunnel.
func (c *conn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// over says whether a connection that has nothing to say was closed by the
// agent, or says something all the same. The transport learns of it later, when
// its reader's turn comes: on a busy machine many requests are faster.
func (c *conn) over() (over bool) {
	if c.socket == nil {
		return false
	}
	// Not Read, which would wait for that reader.
	err := c.socket.Control(func(fd uintptr) {
		c.polled[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		n, _ := unix.Poll(c.polled[:], 0)
		over = n > 0
	})
	return over || err != nil
}

// maxOpen is how many requests can be in progress so that a quarter of the files
// that this process may have open is left for others. Each takes two.
func maxOpen() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1 << 10
	}
	return int(min(limit.Cur, 1<<30) / 8 * 3)
}
