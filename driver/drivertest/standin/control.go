package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/internal/address/addresstest"
)

// control is what the stand-in tells and is told through its socket, if it is
// given one, as launchers do.
type control struct {
	mu       sync.Mutex
	state    string
	running  int
	released chan struct{}
	yielded  chan struct{}
}

func newControl() *control {
	return &control{state: "loading", released: make(chan struct{}), yielded: make(chan struct{})}
}

// run listens where the variables say, and waits until it is released where
// they ask for that.
func (c *control) run() error {
	path := os.Getenv("SLIPWAY_CONTROL")
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := addresstest.Listen(path)
	if err != nil {
		return err
	}
	standsBy := os.Getenv("SLIPWAY_STAND_BY") == "1"
	if standsBy {
		c.become("standing by")
	}
	go c.serve(l)
	if standsBy {
		<-c.released
	}
	return nil
}

func (c *control) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			line, _ := bufio.NewReader(conn).ReadBytes('\n')
			var asked struct{ Do string }
			_ = json.Unmarshal(line, &asked)
			if asked.Do == "yielded" {
				<-c.yielded
			}
			_ = json.NewEncoder(conn).Encode(c.answer(asked.Do))
		}()
	}
}

func (c *control) answer(do string) map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch do {
	case "release":
		if c.state == "standing by" {
			c.state = "starting"
			close(c.released)
		}
		return map[string]any{"state": c.state}
	case "state", "yielded":
		return map[string]any{"state": c.state}
	case "runs":
		return map[string]any{"pending": 0, "running": c.running, "oldest_ms": 0, "workers": 3}
	}
	return map[string]any{"error": "unknown"}
}

func (c *control) become(state string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = state
}

func (c *control) yield() {
	c.become("yielded")
	close(c.yielded)
}

func (c *control) runs(more int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running += more
}

// ask passes on lines of the standard input to the control socket of a stand-in,
// each by a connection of its own, and prints the answers: empty ones if there are
// none. In images it is what the driver asks.
func ask() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(askFor(lines.Text()))
	}
}

func askFor(line string) string {
	name, err := addresstest.Short(os.Getenv("SLIPWAY_CONTROL"))
	if err != nil {
		return ""
	}
	conn, err := net.Dial("unix", name)
	if err != nil {
		return ""
	}
	defer conn.Close()
	fmt.Fprintln(conn, line)
	answer, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(answer)
}

// openState writes to the state, if it is given one, and has it open until it is
// closed: it gives up where another has.
func (a *agent) openState() error {
	dir := os.Getenv("SLIPWAY_STATE_DIR")
	if dir == "" {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(dir, "opened"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	a.state.Store(f)
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("another has the state open: %w", err)
	}
	_, err = fmt.Fprintln(f, birth)
	return err
}
