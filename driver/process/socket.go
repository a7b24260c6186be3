package process

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"syscall"

	"github.com/slipwayhq/slipway/internal/address"
)

// listensOnSocket says whether who listens on the instance's socket is of the
// instance. It asks by a connection: the kernel tells who began to listen where
// that one leads, whatever was done to the file meanwhile.
func (in *instance) listensOnSocket(ctx context.Context, r *run) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, controlPatience)
	defer cancel()
	conn, err := address.DialSocket(ctx, in.socket())
	if errors.Is(err, syscall.EAGAIN) {
		return true, nil // so many wait there to be let in; who it is tells the next look
	}
	if nobodyListens(err) || errors.Is(err, address.ErrStranger) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer conn.Close()
	peer, err := address.Peer(conn)
	if err != nil {
		return false, err
	}
	return in.has(r, int(peer.Pid))
}

// has says whether a process is of the instance.
func (in *instance) has(r *run, pid int) (bool, error) {
	if pid == r.pid {
		return !r.hasEnded(), nil
	}
	members, err := in.members(r)
	return slices.ContainsFunc(members, func(c claim) bool { return c.PID == pid }), err
}

// nobodyListens tells a socket that is not there, or not any more.
func nobodyListens(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}
