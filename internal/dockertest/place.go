package dockertest

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// places is how many engines there may be on a machine.
const places = 64

//go:embed remove.sh
var remove string

// place is what tells an engine from others on the machine.
type place struct {
	n    int
	lock *os.File // says in which folder its engine is
}

// take finds a place that is free, and removes what its last engine left.
func take() (*place, error) {
	for n := range places {
		lock, err := os.OpenFile(fmt.Sprintf("/run/slipway-docker-%d.lock", n), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			lock.Close()
			continue
		}
		p := &place{n: n, lock: lock}
		if err := p.clear(); err != nil {
			lock.Close()
			return nil, err
		}
		return p, nil
	}
	return nil, fmt.Errorf("%d engines for tests run on this machine already", places)
}

func (p *place) name() string { return fmt.Sprintf("slipway-t%d", p.n) }

// Of its addresses a place gives the first half to the engine's own bridge, the
// other to the networks that tests make.
func (p *place) addresses() string { return p.range4(0, 22) }
func (p *place) gateway() string   { return p.range4(1, 23) }
func (p *place) networks() string  { return p.range4(2<<8, 23) }

func (p *place) range4(host, bits int) string {
	return fmt.Sprintf("10.213.%d.%d/%d", p.n*4+host>>8, host&0xff, bits)
}

// clear removes what the last engine of the place left, if that was not removed.
func (p *place) clear() error {
	left, err := io.ReadAll(p.lock)
	if err != nil {
		return err
	}
	dir := cmp.Or(string(left), "/"+prefix+"unknown")
	_, missing := os.Stat(dir)
	if _, err := net.InterfaceByName(p.name()); err != nil && missing != nil {
		return nil
	}
	return p.remover(dir, "").Run()
}

// settle says where the engine is, and makes its bridge.
func (p *place) settle(dir string) error {
	if err := p.lock.Truncate(0); err != nil {
		return err
	}
	if _, err := p.lock.WriteAt([]byte(dir), 0); err != nil {
		return err
	}
	for _, command := range []string{
		"ip link add " + p.name() + " type bridge",
		"ip addr add " + p.gateway() + " dev " + p.name(),
		"ip link set " + p.name() + " up",
		"iptables -w -t nat -A POSTROUTING -s " + p.addresses() + " ! -d " + p.addresses() + " -j MASQUERADE",
		"iptables -w -I FORWARD -s " + p.addresses() + " -j ACCEPT",
		"iptables -w -I FORWARD -d " + p.addresses() + " -j ACCEPT",
	} {
		args := strings.Fields(command)
		cmd := exec.Command(args[0], args[1:]...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", command, err, out)
		}
	}
	return nil
}

// remover is the command that removes an engine of this place, at once or, if it
// is to wait, when its standard input is closed. It holds the lock.
func (p *place) remover(dir, wait string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", remove, "remover", p.name(), p.addresses(), dir, wait)
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{p.lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interrupt from the keyboard does not end it
	return cmd
}
