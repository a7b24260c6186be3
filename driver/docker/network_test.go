package docker_test

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

func (f *fixture) network() string { return "slipway-" + string(f.w.Deployment) }

// networks lists the installation's.
func (f *fixture) networks() []string {
	f.Helper()
	found, err := f.client.NetworkList(f.Context(), client.NetworkListOptions{Filters: make(client.Filters).Add("label", "slipway.owner="+f.owner)})
	f.try(err)
	var names []string
	for _, n := range found.Items {
		names = append(names, n.Name)
	}
	return names
}

// remove stops and deletes an instance.
func (f *fixture) remove(w slipway.Workload) {
	f.Helper()
	f.try(f.d.Stop(f.Context(), w.Deployment, w.Instance, 0))
	f.try(f.d.Delete(f.Context(), w.Deployment, w.Instance))
}

// A deployment has a network of its own as long as it has containers.
func TestNetwork(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	first := f.w
	f.serve()
	f.w.Instance, f.w.Port = slipway.NewID[slipway.InstanceID](time.Now()), drivertest.FreePort(t)
	f.serve()
	if got := f.networks(); len(got) != 1 || got[0] != f.network() {
		t.Errorf("two instances have networks %v", got)
	}
	if attached := f.container().NetworkSettings.Networks; len(attached) != 1 || attached[f.network()] == nil {
		t.Errorf("a container is in %v", attached)
	}
	f.remove(first)
	f.answers()
	f.remove(f.w)
	if got := f.networks(); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
}

// A death between the last container's end and that of its network leaves a
// folder, by which the rest is found.
func TestNetworkLeft(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	_, err := f.client.ContainerRemove(t.Context(), f.name(), client.ContainerRemoveOptions{Force: true})
	f.try(err)
	if list, err := f.d.List(t.Context()); err != nil || len(list) != 1 || list[0].Phase != slipway.PhaseAbsent {
		t.Errorf("List = %+v, %v", list, err)
	}
	f.remove(f.w)
	if got := f.networks(); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
}

// A network whose folder is lost too goes when the engine is looked at next.
func TestNetworkWithoutFolder(t *testing.T) {
	f := newFixture(t, dockertest.Start(t))
	f.serve()
	_, err := f.client.ContainerRemove(t.Context(), f.name(), client.ContainerRemoveOptions{Force: true})
	f.try(err)
	f.try(f.d.Close())
	f.try(os.RemoveAll(filepath.Dir(f.folder())))
	events := f.client.Events(t.Context(), client.EventsListOptions{Filters: make(client.Filters).Add("type", "network").Add("event", "destroy")})
	f.open()
	select {
	case gone := <-events.Messages:
		if gone.Actor.Attributes["name"] != f.network() {
			t.Errorf("removed %v", gone.Actor)
		}
	case err := <-events.Err:
		t.Fatal(err)
	}
}

// Networks of others are left alone, even by the name of ours.
func TestForeignNetwork(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	made, err := f.client.NetworkCreate(t.Context(), f.network(), client.NetworkCreateOptions{Driver: "bridge"})
	f.try(err)
	t.Cleanup(func() { _, _ = f.client.NetworkRemove(t.Context(), made.ID, client.NetworkRemoveOptions{}) })
	if _, err := f.d.Apply(t.Context(), f.w); err == nil || !strings.Contains(err.Error(), "none of this installation's") {
		t.Errorf("applied: %v", err)
	}
	if _, err := f.client.NetworkInspect(t.Context(), made.ID, client.NetworkInspectOptions{}); err != nil {
		t.Errorf("it is gone: %v", err)
	}
	_, err = f.client.NetworkRemove(t.Context(), made.ID, client.NetworkRemoveOptions{})
	f.try(err)
	f.serve()
}

// A container that somebody put into a deployment's network keeps it, and keeps
// nothing else.
func TestStrangerInNetwork(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	made, err := f.client.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Config: &container.Config{Image: f.w.Image}, HostConfig: &container.HostConfig{NetworkMode: container.NetworkMode(f.network())},
	})
	f.try(err)
	_, err = f.client.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{})
	f.try(err)
	f.remove(f.w)
	c, err := f.client.ContainerInspect(t.Context(), made.ID, client.ContainerInspectOptions{})
	f.try(err)
	if !c.Container.State.Running || len(f.networks()) != 1 {
		t.Errorf("the stranger runs: %v, networks %v", c.Container.State.Running, f.networks())
	}
	if err := f.d.Purge(t.Context(), f.w.Deployment); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("its deployment is purged: %v", err)
	}
	_, err = f.client.ContainerRemove(t.Context(), made.ID, client.ContainerRemoveOptions{Force: true})
	f.try(err)
	if _, err := os.Stat(f.folder()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

// Containers that an earlier version started are on the engine's own network, and
// go on there.
func TestOldNetwork(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	old := f.container()
	f.remove(f.w)
	port := network.MustParsePort("8000/tcp")
	_, err := f.client.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Name: f.name(), Config: &container.Config{Image: f.w.Image, Labels: old.Config.Labels, Env: old.Config.Env, ExposedPorts: network.PortSet{port: {}}},
		HostConfig: &container.HostConfig{PortBindings: network.PortMap{port: {{
			HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: old.Config.Labels["slipway.port"],
		}}}},
	})
	f.try(err)
	_, err = f.client.ContainerStart(t.Context(), f.name(), client.ContainerStartOptions{})
	f.try(err)
	f.try(f.d.Close())
	f.try(os.MkdirAll(f.folder(), 0o700))
	f.open()
	f.answers()
	if o := f.inspect(); o.Phase != slipway.PhaseRunning {
		t.Errorf("it is %+v", o)
	}
	f.w.Attempt = 2
	f.serve()
	if attached := f.container().NetworkSettings.Networks; attached[f.network()] == nil {
		t.Errorf("the next attempt is in %v", attached)
	}
	f.remove(f.w)
}

// An engine that was told no addresses, and would give some thirty networks, is
// told by us.
func TestAddresses(t *testing.T) {
	f := newFixture(t, dockertest.Start(t, "--default-address-pool"))
	defer func() { removeAll(t, f.engine, f.owner) }() // the bridges, before the engine ends
	first := f.subnet()
	f.w.Instance, f.w.Deployment = slipway.NewID[slipway.InstanceID](time.Now()), slipway.NewID[slipway.DeploymentID](time.Now())
	f.w.Port = drivertest.FreePort(t)
	if second := f.subnet(); first.Overlaps(second) {
		t.Errorf("networks of %v and %v", first, second)
	}
}

// subnet has the instance serve, and returns the addresses of its network.
func (f *fixture) subnet() netip.Prefix {
	f.Helper()
	f.serve()
	found, err := f.client.NetworkInspect(f.Context(), f.network(), client.NetworkInspectOptions{})
	f.try(err)
	subnet := found.Network.IPAM.Config[0].Subnet
	if !netip.MustParsePrefix("198.18.0.0/15").Contains(subnet.Addr()) || subnet.Bits() != 26 {
		f.Errorf("addresses %v", subnet)
	}
	return subnet
}

// Agents reach those of their deployment and the world, not those of others, and
// not what listens on this machine for itself.
func TestIsolation(t *testing.T) {
	f := newFixture(t, dockertest.StartApart(t))
	one := f.begin()
	f.w.Instance = slipway.NewID[slipway.InstanceID](time.Now())
	beside := f.begin()
	f.w.Instance, f.w.Deployment = slipway.NewID[slipway.InstanceID](time.Now()), slipway.NewID[slipway.DeploymentID](time.Now())
	other := f.begin()
	within := func(c container.InspectResponse) string {
		for _, n := range c.NetworkSettings.Networks {
			return net.JoinHostPort(n.IPAddress.String(), "8000")
		}
		return ""
	}
	published := net.JoinHostPort("127.0.0.1", other.Config.Labels["slipway.port"])
	for what, c := range map[string]struct {
		from    int
		to      string
		reaches bool
	}{
		"the machine the published port": {0, published, true},
		"its own deployment":             {one.State.Pid, within(beside), true},
		"another deployment":             {one.State.Pid, within(other), false},
		"another's published port":       {one.State.Pid, published, false},
		"another's port at the gateway":  {one.State.Pid, net.JoinHostPort(gateway(one), other.Config.Labels["slipway.port"]), false},
	} {
		err := f.engine.Enter(c.from, func() error {
			conn, err := (&net.Dialer{Timeout: 3 * time.Second}).Dial("tcp", c.to)
			if err == nil {
				conn.Close()
			}
			return err
		})
		if (err == nil) != c.reaches {
			t.Errorf("%s at %s: %v", what, c.to, err)
		}
	}
}

func gateway(c container.InspectResponse) string {
	for _, n := range c.NetworkSettings.Networks {
		return n.Gateway.String()
	}
	return ""
}

// begin applies, and waits until the agent listens.
func (f *fixture) begin() container.InspectResponse {
	f.Helper()
	f.w.Port = drivertest.FreePort(f)
	_, err := f.d.Apply(f.Context(), f.w)
	f.try(err)
	testsignal.Until(f, "its port", func() bool {
		listens, err := f.d.Listens(f.Context(), f.w.Deployment, f.w.Instance)
		return err == nil && listens
	})
	return f.container()
}
