package build_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// real is one data folder for all tests with the real npm: the server is
// installed in it once.
var real = sync.OnceValues(func() (*build.Builder, error) {
	dir, err := os.MkdirTemp("", "slipway-build-real-")
	if err != nil {
		return nil, err
	}
	realDir = dir
	return build.Open(build.Options{Dir: dir, Users: users})
})

var realDir string

// users that builds of tests run as, where the test is root.
var users = build.Users{First: 60800, Last: 60863}

func TestMain(m *testing.M) {
	code := m.Run()
	if realDir != "" {
		exec.Command("chmod", "-R", "u+w", realDir).Run()
		os.RemoveAll(realDir)
	}
	os.Exit(code)
}

func realBuilder(t *testing.T) *build.Builder {
	t.Helper()
	if testing.Short() {
		t.Skip("installs with the real npm")
	}
	b, err := real()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func built(t *testing.T, b *build.Builder, r slipway.BuildRequest) (a slipway.Artefact, log string) {
	t.Helper()
	var text lines
	begin := time.Now()
	a, err := b.Build(t.Context(), r, &text)
	t.Logf("built in %v:\n%s", time.Since(begin), &text)
	if err != nil {
		t.Fatal(err)
	}
	return a, text.String()
}

func TestExample(t *testing.T) {
	t.Parallel()
	b := realBuilder(t)
	files := folder(t, "../examples/echo-js")
	first, log := built(t, b, request(t, files))
	if !strings.Contains(log, "$ npm ci ") || first.Kind != "langgraph-js" || first.Runtime["node"] == "" || first.Runtime["server"] == "" || first.Runtime["lock"] == "" {
		t.Errorf("artefact %+v", first)
	}
	serve(t, b, first, "echo")

	again, log := built(t, b, request(t, files))
	if again.Digest != first.Digest || strings.Contains(log, "npm") {
		t.Errorf("the same again is %s, with the log\n%s", again.Digest, log)
	}

	files["src/graph.ts"] += "\n// one more line\n"
	files["package.json"] = strings.Replace(files["package.json"], `"private": true,`, `"private": true, "version": "0.0.2",`, 1)
	changed, log := built(t, b, request(t, files))
	if changed.Digest == first.Digest || strings.Contains(log, "npm") || !strings.Contains(log, "dependencies are unchanged") {
		t.Errorf("after a change of a line: %s, with the log\n%s", changed.Digest, log)
	}
	if changed.Runtime["lock"] != first.Runtime["lock"] {
		t.Error("the lock is another one")
	}
}

func TestPlainJavaScriptWithoutLock(t *testing.T) {
	t.Parallel()
	b := realBuilder(t)
	a, log := built(t, b, request(t, folder(t, "../e2e/testdata/plain-js")))
	if !strings.Contains(log, "$ npm install ") {
		t.Error("npm install was not run")
	}
	serve(t, b, a, "count")
}

// An app that links to a folder of its own, in a folder of a larger source.
func TestLocalDependency(t *testing.T) {
	t.Parallel()
	b := realBuilder(t)
	r := request(t, map[string]string{
		"agents/one/langgraph.json":   `{"graphs": {"one": "./graph.mjs:one"}}`,
		"agents/one/package.json":     `{"dependencies": {"@langchain/core": "1.4.0", "@langchain/langgraph": "1.7.3", "words": "file:../../words"}}`,
		"agents/one/graph.mjs":        `import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph"; import { word } from "words"; export const one = new StateGraph(MessagesAnnotation).addNode("say", () => ({ messages: [{ role: "ai", content: word }] })).addEdge(START, "say").compile();`,
		"words/package.json":          `{"name": "words", "version": "1.0.0", "type": "module", "main": "index.js"}`,
		"words/index.js":              `export const word = "hello";`,
		"agents/one/node_modules/x/y": "packed by mistake",
	})
	r.ConfigPath = "agents/one/langgraph.json"
	r.BuildCommand = "node --version && npm --version"
	a, log := built(t, b, r)
	for _, want := range []string{"node_modules of the source is not used", "$ node --version && npm --version"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	serve(t, b, a, "one")
}

func TestInstallFails(t *testing.T) {
	b := realBuilder(t)
	app := func(manifest string, more ...string) map[string]string {
		files := map[string]string{"langgraph.json": `{"graphs": {"a": "./a.ts:a"}}`, "a.ts": "", "package.json": manifest}
		for i := 0; i < len(more); i += 2 {
			files[more[i]] = more[i+1]
		}
		return files
	}
	cases := map[string]struct {
		files               map[string]string
		command             string
		step, code, message string
	}{
		"bad manifest": {app("{\n  \"dependencies\": []\n}"), "", "install", "package_json_invalid", `package.json:2:`},
		"no version":   {app(`{"dependencies": {"@langchain/core": "99.0.0"}}`), "", "install", "dependency_not_found", "No matching version found for @langchain/core@99.0.0"},
		"unreachable":  {app(`{"dependencies": {"@langchain/core": "1.4.0"}}`, ".npmrc", "registry=http://127.0.0.1:1/\nfetch-retries=0\n"), "", "install", "registry_unreachable", "ECONNREFUSED"},
		"own command":  {app(`{}`), "npm run absent", "build", "build_failed", `Missing script: "absent"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := request(t, c.files)
			r.BuildCommand = c.command
			var log lines
			_, err := b.Build(t.Context(), r, &log)
			t.Logf("%v\nlog:\n%s", err, &log)
			expectFailure(t, err, c.step, c.code, c.message)
			expectNothing(t, realDir, "tmp")
		})
	}
}

func TestLockThatDoesNotFit(t *testing.T) {
	b := realBuilder(t)
	files := map[string]string{
		"langgraph.json":    `{"graphs": {"a": "./a.ts:a"}}`,
		"a.ts":              "",
		"package.json":      `{"dependencies": {"ms": "2.1.3"}}`,
		"package-lock.json": `{"name": "x", "lockfileVersion": 3, "requires": true, "packages": {"": {"dependencies": {"ms": "2.1.2"}}}}`,
	}
	_, log := built(t, b, request(t, files))
	for _, want := range []string{"npm ci refused the lock file", "the app does not install @langchain/langgraph"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

// Cancelled in the middle of an installation, a build ends, and leaves nothing.
func TestInstallIsCancelled(t *testing.T) {
	b := realBuilder(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := waitingRequest(t)
	var cancelled time.Time
	_, err := b.Build(ctx, r, onLine{"waiting", func() { cancelled = time.Now(); cancel() }})
	t.Logf("gone after %v", time.Since(cancelled))
	if ctx.Err() == nil || err != context.Canceled {
		t.Errorf("ended with %v", err)
	}
	expectNothing(t, realDir, "tmp")
}

// Killed in the middle of an installation, the builder leaves a folder in tmp
// and programs that write there; the next one sweeps both.
func TestKilledBuild(t *testing.T) {
	if dir := os.Getenv("BUILD_TEST_DIR"); dir != "" {
		open(t, dir).Build(context.Background(), waitingRequest(t), os.Stdout)
		return
	}
	if testing.Short() {
		t.Skip("installs with the real npm")
	}
	dir := data(t)
	linkCache(t, dir)
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=TestKilledBuild")
	self.Env = append(os.Environ(), "BUILD_TEST_DIR="+dir)
	waiting := make(chan struct{})
	self.Stdout = &signal{text: "\nwaiting", seen: waiting}
	self.WaitDelay = time.Millisecond // the program that is left holds the pipe
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	<-waiting
	self.Process.Kill()
	self.Wait()
	if left, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(left) == 0 {
		t.Error("nothing was left to sweep: the test is wrong")
	}
	open(t, dir)
	expectNothing(t, dir, "tmp", "bundles")
	testsignal.Until(t, "those killed to be gone", func() bool { return len(processesIn(t, dir)) == 0 })
}

func waitingRequest(t *testing.T) slipway.BuildRequest {
	r := request(t, map[string]string{
		"langgraph.json": `{"graphs": {"a": "./a.ts:a"}}`, "a.ts": "",
		"package.json": `{"scripts": {"wait": "echo waiting && sleep 600"}}`,
	})
	r.InstallCommand = "npm run wait"
	return r
}

// linkCache lends a data folder the servers that were installed already, and
// more of what is kept.
func linkCache(t *testing.T, dir string, more ...string) {
	t.Helper()
	if err := realBuilder(t).Warm(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "cache"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(more, "servers") {
		kept := filepath.Join(realDir, "cache", name)
		if _, err := os.Stat(kept); err != nil {
			continue
		}
		// Files with two names: a link would lead out of what a build sees.
		if out, err := exec.Command("cp", "-al", kept, filepath.Join(dir, "cache", name)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// processesIn lists processes that work in a folder.
func processesIn(t *testing.T, dir string) (found []string) {
	t.Helper()
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		if where, err := os.Readlink(process + "/cwd"); err == nil && strings.HasPrefix(where, dir) {
			found = append(found, process)
		}
	}
	return found
}

// serve starts what was built as a driver would, and waits for its first answer.
func serve(t *testing.T, b *build.Builder, a slipway.Artefact, graph string) {
	t.Helper()
	begin := time.Now()
	launch, err := b.Launch(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	agent := b.Kinds()[a.Kind]
	launched := time.Since(begin)
	port := freePort(t)
	var out lines
	ctx, cancel := context.WithTimeout(t.Context(), agent.Start)
	defer cancel()
	cmd := exec.CommandContext(ctx, launch.Args[0], launch.Args[1:]...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOST=127.0.0.1", "PORT=" + port, "SLIPWAY_STATE_DIR=" + t.TempDir()}
	for _, v := range launch.Env {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	ready := make(chan struct{})
	cmd.Stdout = io.MultiWriter(&out, &signal{text: "slipway: serving", seen: ready})
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("it ended:\n%s", &out)
	}
	t.Logf("Launch in %v, serving after %v", launched, time.Since(begin))
	expectServes(t, "http://127.0.0.1:"+port, agent.Probe, graph)
	cancel()
	<-ended
}

func expectServes(t *testing.T, address, probe, graph string) {
	t.Helper()
	answer, err := http.Get(address + probe)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", answer, err)
	}
	answer.Body.Close()
	answer, err = http.Post(address+"/runs/wait", "application/json",
		strings.NewReader(`{"assistant_id": "`+graph+`", "input": {"messages": [{"role": "human", "content": "hi"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || strings.Contains(string(body), "__error__") {
		t.Errorf("run: %s, %v\n%s", answer.Status, err, body)
	}
}

// signal closes a channel at the first line with a text.
type signal struct {
	text string
	seen chan struct{}
	rest string
	done bool
}

func (s *signal) Write(p []byte) (int, error) {
	s.rest += string(p)
	if !s.done && strings.Contains(s.rest, s.text) {
		s.done = true
		close(s.seen)
	}
	return len(p), nil
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
