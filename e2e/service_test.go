package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// command is how the server is started: with a socket that is kept for it, as
// systemd does.
func (s *server) command() *exec.Cmd {
	if s.socket == nil {
		return exec.Command(binary, s.args...)
	}
	const asSystemd = `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=slipway.socket exec "$0" "$@"`
	c := exec.Command("sh", append([]string{"-c", asSystemd, binary}, s.args...)...)
	c.ExtraFiles = []*os.File{s.socket}
	return c
}

// keepSocket has a socket open before the server, which is stopped, and until the
// test ends.
func (s *server) keepSocket() {
	l, err := net.Listen("tcp", strings.TrimPrefix(s.url, "http://"))
	must(s.t, err)
	s.socket, err = l.(*net.TCPListener).File()
	must(s.t, err)
	must(s.t, l.Close())
	s.t.Cleanup(func() { s.socket.Close() })
}

// asks returns what asks on a connection of its own, whether the server is being
// started or not.
func (d *deployment) asks() func(path string) error {
	ctx, url, key := d.t.Context(), d.url, d.key
	return func(path string) error { return askAlone(ctx, url+path, key) }
}

func askAlone(ctx context.Context, url, key string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("X-Api-Key", key)
	to := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: to, Timeout: patience}).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if said, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Status, said)
	}
	return nil
}

// A server that is restarted with its socket open answers everybody who asked
// meanwhile, and its agents neither notice nor have the socket.
func TestRestartsRefuseNobody(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.stop()
	news := listenForNews(s)
	s.keepSocket()
	s.start()
	news.expect("READY=1")
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	before := mains(s.data)
	if len(before) != 1 {
		t.Fatalf("agents: %v", before)
	}
	s.hasToItself(s.socket)

	asking := d.askWithoutEnd(4)
	for range 3 {
		asking.more(20)
		s.stop()
		news.expect("STOPPING=1")
		s.start()
		news.expect("READY=1")
	}
	asking.more(20)
	asking.end()
	s.kill()
	waiting, ask := make(chan error, 1), d.asks()
	go func() { waiting <- ask("/ok") }()
	s.start()
	if err := <-waiting; err != nil {
		t.Errorf("who asked after the server was killed: %v", err)
	}
	if now := mains(s.data); !slices.Equal(now, before) {
		t.Errorf("agents %v, were %v", now, before)
	}
}

// hasToItself sees that agents have neither the socket nor are told of it.
func (s *server) hasToItself(socket *os.File) {
	s.t.Helper()
	inode, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", socket.Fd()))
	must(s.t, err)
	for _, a := range agents(s.data) {
		variables, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", a.pid))
		must(s.t, err)
		if strings.Contains(string(variables), "LISTEN_FDS=") || strings.Contains(string(variables), "NOTIFY_SOCKET=") {
			s.t.Errorf("process %d is told of what systemd gave the server", a.pid)
		}
		open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", a.pid))
		if err != nil || len(open) == 0 {
			s.t.Errorf("what process %d has open: %v, %v", a.pid, open, err)
		}
		for _, path := range open {
			if what, _ := os.Readlink(path); what == inode {
				s.t.Errorf("process %d has the socket of the server", a.pid)
			}
		}
	}
}

// asking are clients that ask again as soon as they have an answer.
type asking struct {
	d        *deployment
	clients  sync.WaitGroup
	stop     chan struct{}
	answered atomic.Int64
}

func (d *deployment) askWithoutEnd(clients int) *asking {
	a, ask := &asking{d: d, stop: make(chan struct{})}, d.asks()
	for range clients {
		a.clients.Go(func() {
			for {
				select {
				case <-a.stop:
					return
				default:
				}
				if err := ask("/ok"); err != nil {
					d.t.Errorf("after %d answers: %v", a.answered.Load(), err)
					return
				}
				a.answered.Add(1)
			}
		})
	}
	return a
}

// more waits for so many more answers.
func (a *asking) more(n int64) {
	a.d.t.Helper()
	from := a.answered.Load()
	eventually(a.d.t, "more answers", func() bool { return a.d.t.Failed() || a.answered.Load() >= from+n })
}

func (a *asking) end() {
	close(a.stop)
	a.clients.Wait()
}

// news are what a service tells systemd.
type news struct {
	t *testing.T
	net.PacketConn
}

func listenForNews(s *server) news {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "notify")
	l, err := net.ListenPacket("unixgram", path)
	must(s.t, err)
	s.t.Cleanup(func() { l.Close() })
	s.env = append(s.env, "NOTIFY_SOCKET="+path)
	return news{s.t, l}
}

func (n news) expect(want string) {
	n.t.Helper()
	must(n.t, n.SetReadDeadline(time.Now().Add(patience)))
	told := make([]byte, 100)
	size, _, err := n.ReadFrom(told)
	if must(n.t, err); string(told[:size]) != want {
		n.t.Errorf("systemd is told %q, want %q", told[:size], want)
	}
}
