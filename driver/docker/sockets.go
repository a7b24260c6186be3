package docker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// askSockets asks the kernel whether a socket listens on a port in a process's
// network, for all or at least for who comes over the network.
func askSockets(pid int, port uint16) (bool, error) {
	fd, err := diagnose(pid)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if listens, err := anyListens(fd, family, port); listens || err != nil {
			return listens, err
		}
	}
	return false, nil
}

// diagnose returns a socket that answers for the network of a process. A thread
// goes there for it, and is not used any more if it can not come back.
func diagnose(pid int) (fd int, err error) {
	there, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return -1, err
	}
	defer there.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		fd, err = socketIn(there)
	}()
	<-done
	return fd, err
}

func socketIn(there *os.File) (int, error) {
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return -1, err
	}
	defer here.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread() // it has not gone
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if unix.Setns(int(here.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return fd, err
}

// Sizes and offsets of inet_diag messages, from linux/inet_diag.h.
const (
	diagRequest = unix.SizeofNlMsghdr + 56
	diagSource  = 8
	diagAnswer  = diagSource + 16
)

// anyListens asks for the sockets of a family that listen on a port.
func anyListens(fd int, family byte, port uint16) (bool, error) {
	if err := unix.Sendto(fd, listenersRequest(family, port), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, err
	}
	found := false
	for reply := make([]byte, os.Getpagesize()*8); ; {
		n, _, err := unix.Recvfrom(fd, reply, 0)
		if err != nil {
			return false, err
		}
		messages, err := syscall.ParseNetlinkMessage(reply[:n])
		if err != nil {
			return false, err
		}
		for _, m := range messages {
			switch {
			case m.Header.Type == unix.NLMSG_DONE || m.Header.Type == unix.NLMSG_ERROR:
				return found, ending(m.Data)
			case len(m.Data) < diagAnswer:
				return false, errors.New("short answer about sockets")
			}
			found = found || !source(family, m.Data).IsLoopback()
		}
	}
}

func listenersRequest(family byte, port uint16) []byte {
	b := make([]byte, diagRequest)
	binary.NativeEndian.PutUint32(b, diagRequest)
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	body := b[unix.SizeofNlMsghdr:]
	body[0], body[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(body[4:], 1<<unix.BPF_TCP_LISTEN)
	binary.BigEndian.PutUint16(body[8:], port)
	return b
}

// ending is the error that ends a list of sockets, a number below 0.
func ending(said []byte) error {
	if len(said) < 4 {
		return errors.New("short end of a list of sockets")
	}
	if n := int32(binary.NativeEndian.Uint32(said)); n < 0 {
		return unix.Errno(-n)
	}
	return nil
}

// source is the address that a socket is bound to.
func source(family byte, answer []byte) netip.Addr {
	raw := [16]byte(answer[diagSource:])
	if family == unix.AF_INET {
		return netip.AddrFrom4([4]byte(raw[:4]))
	}
	return netip.AddrFrom16(raw).Unmap()
}
