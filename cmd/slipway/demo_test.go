package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// demoWorld makes the demo start the fake server, in folders of this test, and
// returns where that records what it was asked.
func demoWorld(t *testing.T, mode string) (temp, record string) {
	temp, record = t.TempDir(), filepath.Join(t.TempDir(), "asked")
	t.Setenv("TMPDIR", temp)
	t.Setenv(fakeMode, mode)
	t.Setenv(fakeMode+"_RECORD", record)
	return temp, record
}

// left lists what is in a folder.
func left(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func asked(t *testing.T, record string) string {
	t.Helper()
	raw, err := os.ReadFile(record)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(raw)
}

func TestDemoOnce(t *testing.T) {
	tests := []struct {
		name, mode string
		code       int
		out, errs  []string
		record     []string
	}{
		{
			"succeeds", "fine", 0,
			[]string{
				"Starting a server at http://", "ready after", "Created deployment echo", "Uploaded 5 files", "0.0s QUEUED", "3.0s DEPLOYED", "echo serves at http://", "/d/echo\n",
				"you   Hello", "agent echo 2", "you   Do you remember", "agent echo 4", "holds 4 messages", "Deleted deployment echo", "Stopped the server", "Removed ",
			},
			nil,
			[]string{"POST /v2/deployments ", "PATCH ", `"messages":[{`, "DELETE /v2/deployments/" + fakeID + "?delete_tracing_project=true", "SIGTERM"},
		},
		{"the build fails", "BUILD_FAILED", 1, []string{"BUILD_FAILED", "Deleted deployment echo", "Removed "}, []string{"BUILD_FAILED: npm install exited 1\nhint: look"}, []string{"DELETE ", "SIGTERM"}},
		{"the agent says nothing", "silent agent", 1, []string{"you   Hello", "Deleted", "Removed "}, []string{"did not answer"}, []string{"DELETE ", "SIGTERM"}},
		{"the server does not start", "exit", 1, []string{"end of the server's log", "the data folder is locked", "Removed "}, []string{"the server ended at once: exit status 1"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			temp, record := demoWorld(t, tt.mode)
			got := slipwayWith(t.Context(), "", "demo", "--once", "--listen", "127.0.0.1:0")
			if got.code != tt.code {
				t.Errorf("exit %d, want %d", got.code, tt.code)
			}
			contains(t, "output", got.out, tt.out...)
			contains(t, "errors", got.errs, tt.errs...)
			contains(t, "requests", asked(t, record), tt.record...)
			if names := left(t, temp); len(names) > 0 {
				t.Errorf("left behind: %q", names)
			}
		})
	}
}

// Wherever Ctrl-C comes, nothing is left behind.
func TestDemoInterrupted(t *testing.T) {
	tests := []struct {
		name, mode, at string
		args           []string
		code           int
	}{
		{"while the server starts", "never ready", "log: ", []string{"--once"}, 1},
		{"while it builds", "BUILDING", "BUILDING", []string{"--once"}, 1},
		{"while it talks", "fine", "you   Hello", []string{"--once"}, 1},
		{"while it stays", "fine", "Ctrl-C ends the demo and deletes all", nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			temp, record := demoWorld(t, tt.mode)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out, errs := &watched{part: tt.at, then: cancel}, new(bytes.Buffer)
			code := run(ctx, append([]string{"demo", "--listen", "127.0.0.1:0"}, tt.args...), strings.NewReader(""), out, errs)
			if code != tt.code || code == 1 && errs.String() != "slipway: interrupted\n" {
				t.Errorf("exit %d: %s", code, errs)
			}
			contains(t, "output", out.String(), "Stopped the server", "Removed ")
			if made := strings.Contains(asked(t, record), "POST /v2/deployments "); made {
				contains(t, "requests", asked(t, record), "DELETE ", "SIGTERM")
			}
			if names := left(t, temp); len(names) > 0 {
				t.Errorf("left behind: %q", names)
			}
		})
	}
}

// With a data folder of the user's, all is left running, and it is said how to
// end it.
func TestDemoKeepsData(t *testing.T) {
	_, record := demoWorld(t, "fine")
	data := filepath.Join(t.TempDir(), "my data")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, errs := &watched{part: "leaves all of it running", then: cancel}, new(bytes.Buffer)
	if code := run(ctx, []string{"demo", "--data", data, "--listen", "127.0.0.1:0"}, strings.NewReader(""), out, errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	contains(t, "output", out.String(), "$(cat '"+data+"/admin.key')", "Left running", "slipway delete echo", "stop the server:", "slipway server --data '"+data+"'")
	if strings.Contains(asked(t, record), "DELETE") {
		t.Error("the deployment was deleted")
	}
	pid := regexp.MustCompile(`kill (\d+)`).FindStringSubmatch(out.String())
	if pid == nil {
		t.Fatalf("no process in %s", out)
	}
	n, err := strconv.Atoi(pid[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, syscall.SIGTERM); err != nil {
		t.Errorf("the server is not there: %v", err)
	}
	testsignal.Until(t, "its end", func() bool { return syscall.Kill(n, 0) != nil }) // it writes until then
	if !slices.Contains(left(t, data), keyFile) {
		t.Error("the data folder is gone")
	}
}

func TestDemoOfAnApp(t *testing.T) {
	_, record := demoWorld(t, "fine")
	got := slipwayWith(t.Context(), "", "demo", "--once", "--listen", "127.0.0.1:0", "--app", app(t))
	if got.code != 0 {
		t.Errorf("exit %d: %s", got.code, got.errs)
	}
	contains(t, "requests", asked(t, record), `"assistant_id":"a"`)
	got = slipwayWith(t.Context(), "", "demo", "--once", "--app", t.TempDir())
	if got.code != 1 {
		t.Errorf("exit %d", got.code)
	}
	contains(t, "errors", got.errs, "no app", "langgraph.json")
}

// The limit is the demo's patience, not the test's.
func TestWaitReadyGivesUp(t *testing.T) {
	demoWorld(t, "never ready")
	listen, _, err := freeAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := startServer(t.TempDir(), listen)
	if err != nil {
		t.Fatal(err)
	}
	err = s.waitReady(t.Context(), client.New(baseURL(listen), ""), 300*time.Millisecond)
	if err == nil || err.Error() != "the server was not ready within 300ms" {
		t.Errorf("got %v", err)
	}
	if err := s.stop(t.Context()); s.over() != true {
		t.Error(err)
	}
}

func TestFreeAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address, taken, err := freeAddress(l.Addr().String())
	if err != nil || !taken || address == l.Addr().String() || !strings.HasPrefix(address, "127.0.0.1:") {
		t.Errorf("got %s, %v, %v", address, taken, err)
	}
	if _, _, err := freeAddress("nonsense"); err == nil {
		t.Error("nonsense is an address")
	}
	for listen, want := range map[string]string{"127.0.0.1:1": "http://127.0.0.1:1", "0.0.0.0:1": "http://127.0.0.1:1", ":1": "http://127.0.0.1:1", "[::]:1": "http://127.0.0.1:1"} {
		if got := baseURL(listen); got != want {
			t.Errorf("%s: got %s", listen, got)
		}
	}
}

func TestSayings(t *testing.T) {
	for raw, want := range map[string][]string{
		`{"n":{"messages":[{"content":"a"},{"content":[{"type":"text","text":"b"},{"text":"c"}]}]}}`: {"a", "bc"},
		`{"n":{"total":3}}`: {`{"n":{"total":3}}`},
		`[1]`:               {`[1]`},
		`{"n":null}`:        {`{"n":null}`},
	} {
		if got := sayings(json.RawMessage(raw)); !slices.Equal(got, want) {
			t.Errorf("%s: got %q", raw, got)
		}
	}
}
