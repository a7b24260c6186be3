package build_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// standsBy begins a launcher that loads and waits, and returns how to ask it.
func standsBy(t *testing.T, b *build.Builder, a slipway.Artefact, state string) (*agent, func(do string) string) {
	t.Helper()
	asked, variable := controlled(t)
	g := begin(t, b, a, state, "SLIPWAY_STAND_BY=1", variable)
	ask := func(do string) string {
		said := asked(do)
		return said.State + said.Error
	}
	testsignal.Until(t, "that it stands by", func() bool {
		select {
		case <-g.ended:
			t.Fatal("it ended before it stood by")
		default:
		}
		return ask("state") == "standing by"
	})
	return g, ask
}

// answer is what a launcher says of itself.
type answer struct {
	State, Error     string
	Pending, Running int
	Workers          int
	Shared           bool
	OldestMS         int `json:"oldest_ms"`
}

// controlled returns how to ask a launcher that is given a variable; it says
// nothing until it listens.
func controlled(t *testing.T) (ask func(do string) answer, variable string) {
	t.Helper()
	folder := t.TempDir()
	dir, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return func(do string) (said answer) {
		conn, err := net.Dial("unix", fmt.Sprintf("/proc/self/fd/%d/control.sock", dir.Fd()))
		if err != nil {
			return said
		}
		defer conn.Close()
		fmt.Fprintf(conn, "{\"do\": %q}\n", do)
		if err := json.NewDecoder(conn).Decode(&said); err != nil {
			t.Errorf("ask for %s: %v", do, err)
		}
		return said
	}, "SLIPWAY_CONTROL=" + filepath.Join(folder, "control.sock")
}

// The new one has everything loaded while the old one goes on, and finds all
// that the old one wrote until its end.
func TestPythonStandsBy(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, "")
	state := t.TempDir()
	old := begin(t, b, a, state).serves()
	next, ask := standsBy(t, b, a, state)
	if claims, _ := os.ReadDir(filepath.Join(state, "launcher.lock")); len(claims) != 1 {
		t.Errorf("%d claim the state", len(claims))
	}
	if _, _, err := next.ask("GET", "/ok", nil); err == nil {
		t.Error("it answers before its release")
	}
	thread := old.thread()
	old.says(thread, "memory", "one")
	if code := old.terminate(); code != 0 {
		t.Errorf("exit %d", code)
	}
	ask("release")
	next.serves()
	if said := next.says(thread, "memory", "two"); said != "you said: one | two" {
		t.Errorf("after the hand-over: %q", said)
	}
	if code := next.terminate(); code != 0 {
		t.Errorf("exit %d", code)
	}
	again := begin(t, b, a, state).serves()
	if said := again.says(thread, "memory", "three"); said != "you said: one | two | three" {
		t.Errorf("after a restart: %q", said)
	}
	for line := range strings.Lines(next.out.String()) {
		if strings.Contains(line, "slipway: serving") {
			t.Log("from its release: " + line)
		}
	}
}

func TestPythonEndsWhileItStandsBy(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, "")
	state := t.TempDir()
	g, _ := standsBy(t, b, a, state)
	if code := g.terminate(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if left, _ := os.ReadDir(state); len(left) > 0 {
		t.Errorf("it left %v in the state", left)
	}
}
