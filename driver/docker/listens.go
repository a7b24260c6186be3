package docker

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/slipwayhq/slipway"
)

// Listens says whether the agent itself listens where its port leads to: the
// port is the engine's from the start on, and says nothing. As long as the
// container's process is seen here, the engine is not asked: this is called
// often while an agent starts. Where the engine's processes can not be seen, a
// running container is taken at its word.
func (d *Driver) Listens(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (bool, error) {
	in, err := d.find(id, i)
	if in == nil || err != nil {
		return false, err
	}
	l := in.lastSeen()
	if l == nil || !visible(l) {
		if l, err = d.inspect(ctx, in); err != nil || !l.running() {
			return false, err
		}
		if !visible(l) {
			return true, nil
		}
	}
	return listening(l), nil
}

// listening asks the kernel, or reads its tables where that may not be asked.
func listening(l *look) bool {
	if listens, err := askSockets(l.state.Pid, portInside.Num()); err == nil {
		return listens
	}
	return readSockets(l.state.Pid, portInside.Num())
}

// readSockets looks for a socket that listens in the tables of a process's
// network. To read them the kernel goes through all connections of the machine.
func readSockets(pid int, port uint16) bool {
	for _, table := range []string{"tcp", "tcp6"} {
		sockets, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err == nil && listed(string(sockets), port) {
			return true
		}
	}
	return false
}

// visible says whether the container's process is one of this machine, and not
// another's with the same number.
func visible(l *look) bool {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", l.state.Pid))
	return err == nil && strings.Contains(string(groups), l.id)
}

// stateListen is that of a socket that listens, in the kernel's tables.
const stateListen = "0A"

// listed looks for a socket that listens on a port for all, or at least for who
// comes over the network.
func listed(table string, port uint16) bool {
	suffix := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != stateListen {
			continue
		}
		if address, ok := strings.CutSuffix(f[1], suffix); ok && !loopback(address) {
			return true
		}
	}
	return false
}

// loopback tells addresses that only the container itself reaches, as the tables
// write them: in words of the machine's byte order.
func loopback(address string) bool {
	raw, err := hex.DecodeString(address)
	switch {
	case err != nil:
		return true
	case len(raw) == 4:
		return raw[3] == 127
	}
	return address == "00000000000000000000000001000000" || strings.HasPrefix(address, "0000000000000000FFFF0000") && raw[15] == 127
}
