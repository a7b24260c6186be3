package e2e_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/client"
)

// entry is one of a tarball made by hand.
type entry struct {
	name, content, link string
}

func tarball(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var raw bytes.Buffer
	zip := gzip.NewWriter(&raw)
	w := tar.NewWriter(zip)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.content)), Typeflag: tar.TypeReg}
		if e.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		}
		must(t, w.WriteHeader(h))
		_, err := w.Write([]byte(e.content))
		must(t, err)
	}
	must(t, w.Close())
	must(t, zip.Close())
	return raw.Bytes()
}

func TestBadInputEndsInAReason(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--start-timeout", "20s")
	config := entry{name: "langgraph.json", content: `{"graphs":{"echo":"./graph.js:graph"},"node_version":"20"}`}
	whole := pack(t, echo, nil)
	plain := func(graph string) []byte {
		return pack(t, "testdata/plain-js", map[string]string{"graph.js": graph})
	}
	source, err := os.ReadFile("testdata/plain-js/graph.js")
	must(t, err)

	told := map[string]string{ // codes that the launcher tells
		"a graph that throws": "import_error", "a graph without its export": "graph_not_found",
		"a graph that does not parse": "syntax_error", "a graph that imports what is not installed": "missing_dependency",
	}
	for _, c := range []struct {
		name   string
		source []byte
		status string
		want   []string // in status_message
	}{
		{"not a gzip", []byte("hello, this is no archive"), "BUILD_FAILED", []string{"gzip"}},
		{"truncated tarball", whole[:len(whole)/2], "BUILD_FAILED", []string{"cut off"}},
		{"path traversal", tarball(t, config, entry{name: "../../evil.js", content: "x"}), "BUILD_FAILED", []string{"../../evil.js"}},
		{"symlink out", tarball(t, config, entry{name: "link", link: "/etc/passwd"}), "BUILD_FAILED", []string{"link"}},
		{"no langgraph.json", tarball(t, entry{name: "graph.js", content: "x"}), "BUILD_FAILED", []string{"langgraph.json"}},
		{"bad JSON", tarball(t, entry{name: "langgraph.json", content: "{\n  \"graphs\": }"}), "BUILD_FAILED", []string{"langgraph.json:2:13"}},
		{"no graph file", tarball(t, config), "BUILD_FAILED", []string{"graph.js", "echo"}},
		{"a dependency that does not exist", pack(t, "testdata/plain-js", map[string]string{
			"package.json": `{"name":"x","type":"module","dependencies":{"@slipwayhq/there-is-no-such-package":"1.0.0"}}`,
		}), "BUILD_FAILED", []string{"there-is-no-such-package"}},
		{"a graph that throws", plain("throw new Error('the moon is full');"), "DEPLOY_FAILED", []string{"graph.js", "the moon is full"}},
		{"a graph without its export", plain("export const other = 1;"), "DEPLOY_FAILED", []string{"graph"}},
		{"a graph that does not parse", plain(string(source) + "\nconst = 1;"), "DEPLOY_FAILED", []string{"graph.js:", "Unexpected token"}},
		{"a graph that imports what is not installed", plain("import 'left-pad';\n" + string(source)), "DEPLOY_FAILED", []string{"graph.js imports left-pad, which is not installed"}},
		{"an app that never listens", plain("await new Promise((done) => setInterval(done, 2 ** 30));\n" + string(source)), "DEPLOY_FAILED", []string{"20s", "/ok"}},
		{
			"its port taken by itself", plain("import { createServer } from 'node:net';\nawait new Promise((done) => createServer().listen(+process.env.PORT, process.env.HOST, done));\n" + string(source)),
			"DEPLOY_FAILED",
			[]string{"EADDRINUSE"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := (&server{Client: s.Client, t: t, data: s.data, url: s.url, key: s.key, log: s.log}).create("refused")
			r := d.await(d.push(c.source))
			if r.Status != c.status || r.Failure == nil || r.Failure.Code == "" {
				t.Fatalf("%s: %q (%+v), want %s", r.Status, deref(r.StatusMessage), r.Failure, c.status)
			}
			if code, ok := told[c.name]; ok && (r.Failure.Code != code || code == "missing_dependency" && !strings.Contains(deref(r.Failure.Hint), "Add left-pad")) {
				t.Errorf("failure %+v, want code %s", r.Failure, code)
			}
			for _, want := range c.want {
				if !strings.Contains(deref(r.StatusMessage), want) {
					t.Errorf("status_message %q does not name %q", deref(r.StatusMessage), want)
				}
			}
			d.purge()
		})
	}
	for _, left := range []string{"deployments/*-*", "bundles/*", "tmp/*", "blobs/uploads/*"} {
		if found, _ := filepath.Glob(filepath.Join(s.data, left)); len(found) > 0 {
			t.Errorf("left behind: %v", found)
		}
	}
	if n := len(agents(s.data)); n > 0 {
		t.Errorf("%d processes are left", n)
	}
	d := s.create("good")
	d.deploy(whole)
}

func TestABadRevisionLeavesTheGoodOneServing(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	good := d.deploy(pack(t, echo, nil))
	thread := d.scenario("remember-write")["thread_id"].(string)
	for name, graph := range map[string]string{"throws": "throw new Error('no')", "is not there": ""} {
		r := d.await(d.push(pack(t, echo, map[string]string{"src/graph.ts": graph})))
		if !strings.HasSuffix(r.Status, "_FAILED") {
			t.Errorf("a graph that %s: %s", name, r.Status)
		}
		v, err := d.Deployment(t.Context(), d.id)
		must(t, err)
		if deref(v.ActiveRevisionID) != good.ID {
			t.Errorf("after a graph that %s the active revision is %s", name, deref(v.ActiveRevisionID))
		}
	}
	d.scenario("remember-read", thread)
}

func TestTakenPortsAreSaid(t *testing.T) {
	t.Parallel()
	first, second := neighbours(t)
	port := first.Addr().(*net.TCPAddr).Port
	s := newServer(t, "--agent-ports", fmt.Sprintf("%d-%d", port, port+1))
	d := s.create("echo")
	r := d.await(d.push(pack(t, echo, nil)))
	if message := deref(r.StatusMessage); r.Status != "DEPLOY_FAILED" || !strings.Contains(message, fmt.Sprint(port)) && !strings.Contains(message, fmt.Sprint(port+1)) {
		t.Errorf("%s: %q, want DEPLOY_FAILED naming port %d or the next", r.Status, message, port)
	}
	must(t, second.Close())
	d.deploy(pack(t, echo, map[string]string{"README.md": "again"}))
}

// neighbours listens on two ports in a row.
func neighbours(t *testing.T) (first, second net.Listener) {
	t.Helper()
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		second, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first.Addr().(*net.TCPAddr).Port+1))
		if err == nil {
			t.Cleanup(func() { first.Close(); second.Close() })
			return first, second
		}
		must(t, first.Close())
	}
	t.Fatal("no two ports in a row are free")
	return nil, nil
}

// asRoot runs a command that only root may.
func asRoot(t *testing.T, args ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s (this test mounts a small file system: run it as root, or with sudo that asks nothing)", strings.Join(args, " "), err, out)
	}
}

// A disk of a few megabytes, as a file system of its own.
func TestFullDiskIsSaid(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "small")
	must(t, os.MkdirAll(data, 0o700))
	asRoot(t, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=24m,uid=%d,mode=0700", os.Geteuid()), "tmpfs", data)
	t.Cleanup(func() { asRoot(t, "umount", data) })
	s := serverOn(t, data, "--disk-reserve", "0")
	d := s.create("echo")
	r := d.await(d.push(pack(t, echo, nil)))
	if r.Status != "BUILD_FAILED" || r.Failure == nil || r.Failure.Code != "disk_full" || !strings.Contains(strings.ToLower(deref(r.StatusMessage)), "no space") {
		t.Errorf("on a full disk: %s %q %+v", r.Status, deref(r.StatusMessage), r.Failure)
	}
	if left, _ := filepath.Glob(filepath.Join(data, "tmp", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := s.Deployment(t.Context(), d.id); err != nil {
		t.Errorf("the server afterwards: %v", err)
	}
	must(t, s.DeleteDeployment(t.Context(), d.id, client.DeleteOptions{}))
	must(t, s.WaitGone(t.Context(), d.id))
}
