package procfs

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Listener returns the inode of the socket that a connection to
// 127.0.0.1:port would reach, 0 if nothing listens there.
//
// It asks the kernel for that one socket. Where the kernel can not be asked, it
// reads the tables of all sockets, which is slow on a busy machine.
func Listener(port int) (uint64, error) {
	if canAsk() {
		if inode, err := askListener(port); err == nil {
			return inode, nil
		}
	}
	return readListener(port)
}

// canAsk tries the question on a socket that is known to listen: a kernel
// without the query gives the same answer as one without the socket.
var canAsk = sync.OnceValue(func() bool {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return false
	}
	defer l.Close()
	inode, err := askListener(l.Addr().(*net.TCPAddr).Port)
	return err == nil && inode != 0
})

// Sizes and offsets of inet_diag messages, from linux/inet_diag.h.
const (
	diagRequest = unix.SizeofNlMsghdr + 56
	diagReply   = unix.SizeofNlMsghdr + 72
	diagInode   = unix.SizeofNlMsghdr + 68
)

func askListener(port int) (uint64, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, listenerRequest(port), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	reply := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, reply, 0)
	if err != nil {
		return 0, err
	}
	return parseListener(reply[:n])
}

// listenerRequest asks for the socket that takes a packet from anywhere to
// 127.0.0.1:port; no connection has such a peer, so it is the one that listens.
func listenerRequest(port int) []byte {
	b := make([]byte, diagRequest)
	binary.NativeEndian.PutUint32(b, diagRequest)
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	body := b[unix.SizeofNlMsghdr:]
	body[0], body[1] = unix.AF_INET, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(body[4:], 1<<unix.BPF_TCP_LISTEN)
	binary.BigEndian.PutUint16(body[8:], uint16(port))
	copy(body[12:], []byte{127, 0, 0, 1})
	for i := 48; i < 56; i++ {
		body[i] = 0xff // no cookie
	}
	return b
}

func parseListener(reply []byte) (uint64, error) {
	if len(reply) < unix.SizeofNlMsghdr+4 {
		return 0, errors.New("short reply to a socket query")
	}
	if binary.NativeEndian.Uint16(reply[4:]) == unix.NLMSG_ERROR {
		errno := unix.Errno(-int32(binary.NativeEndian.Uint32(reply[unix.SizeofNlMsghdr:])))
		if errno == unix.ENOENT {
			return 0, nil
		}
		return 0, errno
	}
	if len(reply) < diagReply {
		return 0, errors.New("short reply to a socket query")
	}
	return uint64(binary.NativeEndian.Uint32(reply[diagInode:])), nil
}

func readListener(port int) (uint64, error) {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		inode, err := findListener(table, port)
		if inode != 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return inode, err
		}
	}
	return 0, nil
}

// Local addresses, as the tables write them, that a connection to 127.0.0.1
// reaches: itself, any, and both again in IPv6.
var loopbacks = []uint32{127<<24 | 1, 0}

func findListener(table string, port int) (uint64, error) {
	f, err := os.Open(table)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	wanted := localAddresses(port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && fields[3] == "0A" && slices.Contains(wanted, fields[1]) {
			return strconv.ParseUint(fields[9], 10, 64)
		}
	}
	return 0, nil
}

func localAddresses(port int) []string {
	var addresses []string
	for _, ip := range loopbacks {
		host := make([]byte, 4)
		binary.BigEndian.PutUint32(host, ip)
		word := fmt.Sprintf("%08X", binary.NativeEndian.Uint32(host))
		mapped := fmt.Sprintf("%08X", binary.NativeEndian.Uint32([]byte{0, 0, 0xff, 0xff}))
		suffix := fmt.Sprintf(":%04X", port)
		addresses = append(addresses, word+suffix, strings.Repeat("0", 16)+mapped+word+suffix)
	}
	return append(addresses, strings.Repeat("0", 32)+fmt.Sprintf(":%04X", port))
}

// Holds says whether a process has the socket open.
func Holds(pid int, inode uint64) (bool, error) {
	dir, err := os.Open(path(pid, "fd"))
	if errors.Is(err, fs.ErrPermission) {
		return false, nil
	}
	if err != nil {
		return false, gone(err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return false, gone(err)
	}
	socket := fmt.Sprintf("socket:[%d]", inode)
	return slices.ContainsFunc(names, func(fd string) bool {
		target, _ := os.Readlink(path(pid, "fd/"+fd))
		return target == socket
	}), nil
}

// Holder finds a process that has the socket open, 0 if none is to be seen.
func Holder(inode uint64) int {
	pids, _ := PIDs()
	for _, pid := range pids {
		if held, _ := Holds(pid, inode); held {
			return pid
		}
	}
	return 0
}
