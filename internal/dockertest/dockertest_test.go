package dockertest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

const standin = "github.com/slipwayhq/slipway/driver/drivertest/standin"

// child has a run of this test's binary start an engine with a container and
// wait for its end.
const child = "SLIPWAY_DOCKERTEST_CHILD"

func TestChild(t *testing.T) {
	if os.Getenv(child) == "" {
		return
	}
	e := dockertest.Shared(t)
	run(t, e)
	network, err := e.Client(t).NetworkInspect(t.Context(), "bridge", client.NetworkInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(strings.TrimPrefix(e.Host(), "unix://"), network.Network.Options["com.docker.network.bridge.name"])
	select {}
}

// Of a test that is killed nothing is left, however many run beside it.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Docker Engine")
	}
	beside := dockertest.Shared(t)
	address := run(t, beside)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), child+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the child said nothing: %v", lines.Err())
	}
	socket, bridge, _ := strings.Cut(lines.Text(), " ")
	dir := filepath.Dir(socket)
	if _, err := net.InterfaceByName(bridge); err != nil {
		t.Fatalf("the child said %q: %v", lines.Text(), err)
	}
	gone := removal(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	gone()
	if _, err := net.InterfaceByName(bridge); err == nil {
		t.Errorf("%s is still there", bridge)
	}
	if mounts, err := os.ReadFile("/proc/mounts"); err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("mounted still, %v:\n%s", err, mounts)
	}
	if got := get(t, "http://"+address+"/ok"); got != "ok\n" {
		t.Errorf("the engine beside it: %q", got)
	}
}

// Containers outlive their engine, which finds them again.
func TestUpAndDown(t *testing.T) {
	e := dockertest.Start(t)
	address := run(t, e)
	e.Down()
	if _, err := e.Client(t).Ping(t.Context(), client.PingOptions{}); err == nil {
		t.Error("a stopped engine answers")
	}
	if err := e.Up(); err != nil {
		t.Fatal(err)
	}
	list, err := e.Client(t).ContainerList(t.Context(), client.ContainerListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if got := get(t, "http://"+address+"/ok"); got != "ok\n" {
		t.Errorf("got %q", got)
	}
}

// run runs a stand-in for an agent and returns its address, once it listens.
func run(t *testing.T, e *dockertest.Engine) string {
	t.Helper()
	c, inside := e.Client(t), network.MustParsePort("8000/tcp")
	made, err := c.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Image:  e.Image(t, "standin", standin, "-print", "here"),
		Config: &container.Config{Env: []string{"PORT=8000"}, ExposedPorts: network.PortSet{inside: {}}},
		HostConfig: &container.HostConfig{PortBindings: network.PortMap{
			inside: {{HostIP: netip.MustParseAddr("127.0.0.1")}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := c.ContainerInspect(t.Context(), made.ID, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + got.Container.NetworkSettings.Ports[inside][0].HostPort
	testsignal.Until(t, "the program to serve", func() bool {
		answer, err := http.Get("http://" + address + "/ok")
		if err == nil {
			_ = answer.Body.Close()
		}
		return err == nil
	})
	return address
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

// removal returns a function that waits until a folder is removed.
func removal(t *testing.T, dir string) func() {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_DELETE_SELF); err != nil {
		t.Fatal(err)
	}
	return func() {
		buf := make([]byte, 4096)
		if _, err := unix.Read(fd, buf); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}
