package gateway

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// conn is a connection to an agent that counts what is sent on it.
type conn struct {
	net.Conn
	sent atomic.Int64 // bytes
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

// CloseWrite ends one direction of a tunnel.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// over says whether a connection that has nothing to say was closed by the
// agent, or says something all the same. The transport learns of it later, when
// its reader's turn comes: on a busy machine many requests are faster.
func (c *conn) over() (over bool) {
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	// Not raw.Read, which would wait for that reader.
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		over = err != syscall.EAGAIN && err != syscall.EINTR
	})
	return over || err != nil
}
