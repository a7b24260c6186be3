package command_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/internal/confine"
	"github.com/slipwayhq/slipway/internal/mask"
)

// A build reaches what it is given, and nothing else of the server's.
func TestContained(t *testing.T) {
	t.Setenv("SECRET_OF_THE_SERVER", "canary-env")
	data := t.TempDir()
	for _, name := range []string{"slipway.db", "secret.key", "blobs/one", "bundles/other/app/file", "tmp/build/file", "tmp/other/app/file", "cache/npm/file", "cache/tools/file"} {
		path := filepath.Join(data, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		os.WriteFile(path, []byte("canary-file"), 0o644)
	}
	cases := map[string]struct {
		script string
		works  bool
	}{
		"its folder":                {"echo a > file && mkdir sub && mv file sub && rm -r sub", true},
		"links":                     {"echo a > a && ln a b && ln -s a c", true},
		"tools":                     {"cat ../../../cache/tools/file", true},
		"tools are read-only":       {"echo > ../../../cache/tools/file", false},
		"system":                    {"cat /etc/passwd /proc/meminfo && ls /usr/bin && head -c 8 /dev/urandom", true},
		"null":                      {"echo x > /dev/null", true},
		"terminal":                  {"echo x > /dev/tty", false},
		"database":                  {"cat " + data + "/slipway.db", false},
		"key":                       {"cat " + data + "/secret.key", false},
		"blobs":                     {"cat " + data + "/blobs/one", false},
		"other bundles":             {"cat " + data + "/bundles/other/app/file", false},
		"beside its folder":         {"cat ../file", false},
		"write beside its folder":   {"touch ../new", false},
		"other builds":              {"cat " + data + "/tmp/other/app/file", false},
		"the caches":                {"cat " + data + "/cache/npm/file", false},
		"list the data folder":      {"ls " + data + " | grep -e slipway.db", false},
		"/tmp":                      {"touch /tmp/slipway-test-escape", false},
		"home":                      {"touch ~root/slipway-test-escape || ls ~root", false},
		"/etc":                      {"touch /etc/slipway-test-escape", false},
		"environment of the server": {fmt.Sprintf("cat /proc/%d/environ", os.Getpid()), false},
		"files of the server":       {fmt.Sprintf("readlink /proc/%d/fd/1", os.Getpid()), false},
		"memory of the server":      {fmt.Sprintf("head -c 1 /proc/%d/mem", os.Getpid()), false},
		"signals to the server":     {fmt.Sprintf("kill -CONT %d", os.Getpid()), false},
		"own environment":           {"env | grep -q SECRET_OF_THE_SERVER", false},
		"privileges":                {"grep -q 'NoNewPrivs:.1' /proc/self/status", true},
		"groups":                    {"test \"$(id -G)\" = \"$(id -g)\"", true},
		"descriptors":               {"test \"$(ls /proc/self/fd | tr -d '\\n')\" = 0123", true},
		"mounts":                    {"mount -t tmpfs none .", false},
		"control groups":            {"echo 0 > /sys/fs/cgroup/pids/cgroup.procs", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if os.Geteuid() != 0 && (name == "groups" || name == "signals to the server" && confine.LandlockVersion() < 6) {
				t.Skip("only as root")
			}
			cmd := in(t, command.Settings{Data: data}, command.Scope{}, c.script)
			cmd.Read = []string{data + "/cache/tools"}
			var said []string
			cmd.Line = func(line string) { said = append(said, line) }
			code, err := cmd.Run(t.Context())
			if err != nil || c.works != (code == 0) {
				t.Errorf("exit %d, %v\n%s", code, err, strings.Join(said, "\n"))
			}
			if strings.Contains(strings.Join(said, "\n"), "canary-env") {
				t.Error("the server's environment is seen")
			}
		})
	}
}

// The fetcher and the app are two, and one app is not the other.
func TestIdentities(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a program another user")
	}
	data := t.TempDir()
	cache := filepath.Join(data, "cache", "npm")
	os.MkdirAll(cache, 0o700)
	run := func(c command.Command) (string, int) {
		t.Helper()
		var said []string
		c.Line = func(line string) { said = append(said, line) }
		code, err := c.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(said, "\n"), code
	}
	one := in(t, command.Settings{Data: data}, command.Scope{}, "id -u; touch by-app; cat by-fetcher; touch "+cache+"/by-app")
	fetch := one
	fetch.As, fetch.Cache = command.Fetch, []string{cache}
	fetch.Args = []string{"/bin/sh", "-c", "id -u && touch by-fetcher " + cache + "/by-fetcher"}
	if said, code := run(fetch); said != "60800" || code != 0 {
		t.Errorf("the fetcher: exit %d: %s", code, said)
	}
	first, code := run(one)
	if !strings.HasPrefix(first, "608") || strings.HasPrefix(first, "60800") || code == 0 {
		t.Errorf("the app: exit %d: %s", code, first)
	}
	two := in(t, command.Settings{Data: filepath.Join(data, "two")}, command.Scope{}, "id -u")
	if second, _ := run(two); second == strings.Fields(first)[0] || !strings.HasPrefix(second, "608") {
		t.Errorf("two builds run as %s and %s", first, second)
	}
}

// A hard link to a file of the server's is not handed to anybody.
func TestNothingBorrowedIsGiven(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	c := sandboxed(t, command.Limits{}, "true")
	outside := filepath.Join(t.TempDir(), "outside")
	os.WriteFile(outside, nil, 0o600)
	if err := os.Link(outside, filepath.Join(c.Dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(outside)
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("it is another's now: %v, %v", info, err)
	}
}

func TestNeedsASandbox(t *testing.T) {
	if _, err := (command.Command{Args: []string{"/bin/true"}}).Run(t.Context()); err == nil {
		t.Error("it ran without one")
	}
}

// What a line says is masked even where it is cut.
func TestMaskedWhereALineIsCut(t *testing.T) {
	c := in(t, command.Settings{}, command.Scope{Mask: mask.New("the-secret")},
		`printf '%016379dthe-'; printf 'secret and the-sec'; echo ret; printf '%032758dthe-secret'`)
	var said []string
	c.Line = func(line string) {
		if len(line) > command.MaxLine {
			t.Errorf("a line of %d bytes", len(line))
		}
		said = append(said, line)
	}
	if _, err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(said, "")
	if strings.Contains(all, "secret") || strings.Contains(all, "the-") || strings.Count(all, mask.Shown) != 3 {
		t.Errorf("%d lines: %q", len(said), strings.Trim(all, "0"))
	}
}

// The policy for a build's network is the operator's: a wrapper.
func TestWrapper(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a network namespace")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Fatal("this test needs iproute2: ", err)
	}
	space := fmt.Sprintf("slipway-test-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", space).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	defer exec.Command("ip", "netns", "delete", space).Run()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("this test needs node: ", err)
	}
	script := node + ` -e "require('net').connect(` + port + `, '127.0.0.1', () => process.exit(0)).on('error', () => process.exit(3))"`
	for wrapper, want := range map[string]int{"": 0, "ip netns exec " + space: 3} {
		c := in(t, command.Settings{Wrapper: strings.Fields(wrapper)}, command.Scope{}, script)
		if code, err := c.Run(t.Context()); code != want || err != nil {
			t.Errorf("wrapped by %q: exit %d, %v", wrapper, code, err)
		}
	}
	c := in(t, command.Settings{Wrapper: []string{"/bin/false"}}, command.Scope{}, "true")
	if _, err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "false did not run what it was given") {
		t.Errorf("a wrapper that fails: %v", err)
	}
}

// The same as a user who is not root, with what then holds.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 || testing.Short() {
		t.Skip("runs the others once more")
	}
	tmp := t.TempDir()
	for at := tmp; at != "/tmp" && at != "/"; at = filepath.Dir(at) {
		os.Chmod(at, 0o755)
	}
	os.Chown(tmp, 60798, 60798)
	self := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.timeout=10m", "-test.run=^(TestRun|TestCancel|TestLimits|TestContained|TestLeaves|TestMasked|TestKillMarked|TestKilledServer)")
	self.Env = append(os.Environ(), "TMPDIR="+tmp, "HOME="+tmp)
	self.Dir = tmp
	self.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 60798, Gid: 60798}}
	if out, err := self.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
