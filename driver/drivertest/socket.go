package drivertest

import (
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/address/addresstest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// socketLeft has something stand in the way of the next attempt's socket: what
// the last one left when it was killed, and what it might have put there.
func socketLeft(p *place) {
	w := p.workload()
	path := p.socketOf(p.serve(w))
	for _, leave := range []func(){
		func() {},
		func() { p.try(os.Remove(path)) },
		func() { p.try(os.Remove(path)); p.try(os.Symlink("/dev/null", path)) },
		func() {
			p.try(os.Remove(path))
			p.try(os.MkdirAll(filepath.Join(path, "full"), 0o700))
			p.try(os.Chmod(filepath.Dir(path), 0))
		},
	} {
		p.post(p.inspect(w), "/exit?code=3")
		p.exited(w)
		leave()
		w.Attempt++
		if o := p.serve(w); p.socketOf(o) != path || !p.listens(w) {
			p.Errorf("the next attempt: %+v", o)
		}
	}
	p.stop(w, 0)
	p.try(p.delete(w))
	if _, err := os.Lstat(path); err == nil {
		p.Error("the socket is left")
	}
}

// socketOf is the path of the socket that an instance is to listen on.
func (p *place) socketOf(o slipway.Observed) string {
	p.Helper()
	path, ok := strings.CutPrefix(o.Address, "unix:")
	if !ok {
		p.Fatalf("it listens at %s", o.Address)
	}
	return path
}

// socketOfStranger has a stranger listen where an agent should: before it does,
// and in its place.
func socketOfStranger(p *place) {
	mute := p.workload("-mute", "-print=mute")
	o := p.apply(mute)
	testsignal.Until(p, "its output", func() bool { return p.output(mute, 0, 100) != "" })
	p.listenInPlace(p.socketOf(o))
	if p.listens(mute) {
		p.Error("the stranger's socket is taken for the instance's")
	}
	w := p.workload()
	o = p.serve(w)
	p.listenInPlace(p.socketOf(o))
	p.reopen()
	if p.listens(w) {
		p.Error("the stranger's socket is taken for the instance's after a restart")
	}
}

// listenInPlace listens on a socket, whoever did before.
func (p *place) listenInPlace(path string) net.Listener {
	p.Helper()
	l, err := addresstest.Listen(path + ".new")
	p.try(err)
	p.try(os.Rename(path+".new", path))
	p.Cleanup(func() { l.Close() })
	return l
}
