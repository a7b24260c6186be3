package build_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/internal/redistest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

func TestPythonExample(t *testing.T) {
	t.Parallel()
	b := realBuilder(t)
	files := folder(t, "../examples/echo-py")
	first, _ := built(t, b, request(t, files))
	if first.Kind != "langgraph-py" || first.Runtime["python"] == "" || !strings.HasPrefix(first.Runtime["server"], "langgraph-api ") || first.Runtime["lock"] == "" || first.Runtime["uv"] == "" {
		t.Errorf("artefact %+v", first)
	}
	serve(t, b, first, "echo")

	files["graph.py"] += "\n# one more line\n"
	changed, log := built(t, b, request(t, files))
	if changed.Digest == first.Digest || !strings.Contains(log, "dependencies are unchanged") || changed.Runtime["lock"] != first.Runtime["lock"] {
		t.Errorf("after a change of a line: %+v, with the log\n%s", changed, log)
	}
}

func pythonExample(t *testing.T, server slipway.AgentServer) (*build.Builder, slipway.Artefact) {
	t.Helper()
	b := realBuilder(t)
	r := request(t, folder(t, "../examples/echo-py"))
	r.AgentServer = server
	a, _ := built(t, b, r)
	return b, a
}

func TestPythonKeepsItsState(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, "")
	state := t.TempDir()
	g := begin(t, b, a, state).serves()
	g.expectApart()
	thread := g.thread()
	g.says(thread, "memory", "one")
	if code := g.terminate(); code != 0 {
		t.Errorf("exit %d", code)
	}
	g = begin(t, b, a, state).serves()
	if said := g.says(thread, "memory", "two"); said != "you said: one | two" {
		t.Errorf("after a restart: %q", said)
	}
	if code := g.terminate(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestPythonDrains(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, "")
	state := t.TempDir()
	g := begin(t, b, a, state).serves()
	thread := g.thread()
	id := g.starts(thread, run("slow", "x", object{"delay_ms": 1500}))
	if code := g.terminate(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if strings.Contains(g.out.String(), "cancelling") {
		t.Error("the run was cancelled")
	}
	g = begin(t, b, a, state).serves()
	if status := g.status(thread, id); status != "success" {
		t.Errorf("the run is %s", status)
	}
}

func TestPythonCancelsAtTheDrainLimit(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, "")
	state := t.TempDir()
	g := begin(t, b, a, state, "SLIPWAY_DRAIN_SECONDS=1").serves()
	thread := g.thread()
	id := g.starts(thread, run("slow", "x", object{"delay_ms": 600_000}))
	if code := g.terminate(); code != 0 || !strings.Contains(g.out.String(), "drain limit reached") {
		t.Errorf("exit %d", code)
	}
	g = begin(t, b, a, state).serves()
	if status := g.status(thread, id); status != "interrupted" {
		t.Errorf("the run is %s", status)
	}
	if said := g.says(thread, "echo", "y"); !strings.HasPrefix(said, "echo: y") {
		t.Errorf("the thread is not free: %q", said)
	}
}

// Killed while a run is at work, it does that run over at the next start.
func TestPythonIsKilled(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, "")
	state := t.TempDir()
	g := begin(t, b, a, state).serves()
	thread := g.thread()
	id := g.starts(thread, run("slow", "x", object{"delay_ms": 4000}))
	ops := filepath.Join(state, ".langgraph_api", ".langgraph_ops.pckl")
	testsignal.Eventually(t, "the run to be on the disk, which is every 3 s", func() bool {
		content, _ := os.ReadFile(ops)
		return strings.Contains(string(content), "running")
	})
	g.end(syscall.SIGKILL)
	g = begin(t, b, a, state).serves()
	if !strings.Contains(g.out.String(), "freed what a hard kill left behind") || !strings.Contains(g.out.String(), id) {
		t.Error("it does not say what it freed")
	}
	testsignal.Eventually(t, "the run to end", func() bool {
		status := g.status(thread, id)
		return status != "pending" && status != "running"
	})
	if status := g.status(thread, id); status != "success" {
		t.Errorf("the run is %s", status)
	}
}

func TestPythonStateIsGuarded(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, "")
	state := t.TempDir()
	file := filepath.Join(state, ".langgraph_api", "store.pckl")
	os.MkdirAll(filepath.Dir(file), 0o755)
	os.WriteFile(file, []byte("torn"), 0o644)
	g := begin(t, b, a, state).serves()
	if kept, err := os.ReadFile(file + ".damaged-1"); string(kept) != "torn" || err != nil || !strings.Contains(g.out.String(), "moved aside") {
		t.Errorf("a damaged file: %q, %v", kept, err)
	}
	begin(t, b, a, state).refuses(1, "state_locked", "is held by process")
}

// stubborn has something run that does not end when it is cancelled, and fails then.
const stubborn = `import asyncio
from starlette.applications import Starlette

async def on_and_on():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

class Life:
    async def __aenter__(self):
        self.task = asyncio.create_task(on_and_on())
        await asyncio.sleep(0)
        raise RuntimeError("it can not be")

    async def __aexit__(self, *ended):
        pass

app = Starlette(lifespan=lambda app: Life())
`

func TestPythonFailsToStart(t *testing.T) {
	t.Parallel()
	b := realBuilder(t)
	app := func(graph string, more ...string) map[string]string {
		files := map[string]string{
			"langgraph.json":   `{"dependencies": ["."], "graphs": {"a": "./a.py:graph"}}`,
			"requirements.txt": "langchain-core==1.8.3\nlanggraph==1.2.24\n",
			"a.py":             "from langgraph.graph import StateGraph\n" + graph,
		}
		for i := 0; i < len(more); i += 2 {
			files[more[i]] = more[i+1]
		}
		return files
	}
	cases := map[string]struct {
		files         map[string]string
		code, message string
	}{
		"missing package": {app("import absent.thing\ngraph = 1"), "missing_dependency", `a.py:2: No module named 'absent'`},
		"own module":      {app("import lib.gone\ngraph = 1", "lib/__init__.py", ""), "module_not_found", `a.py:2: ModuleNotFoundError: No module named 'lib.gone'`},
		"name":            {app("from json import gone\ngraph = 1"), "import_error", `a.py:2: ImportError: cannot import name 'gone' from 'json'`},
		"raises":          {app("graph = {}['x']"), "import_error", `a.py:2: KeyError: 'x'`},
		"no graph":        {app("globals()['other'] = 1"), "graph_not_found", "Could not find graph 'graph'"},
		"leaves work behind": {
			app("g = StateGraph(dict)\ng.add_node('n', lambda state: state)\ng.set_entry_point('n')\ngraph = g.compile()", "langgraph.json", `{"dependencies": ["."], "graphs": {"a": "./a.py:graph"}, "http": {"app": "./web.py:app"}}`, "web.py", stubborn),
			"import_error", "web.py:15: RuntimeError: it can not be",
		},
		"exits": {app("graph = 1\nraise SystemExit(0)"), "import_error", "a.py:3: SystemExit: 0"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a, _ := built(t, b, request(t, c.files))
			begin(t, b, a, t.TempDir()).refuses(1, c.code, c.message)
		})
	}
}

func TestAegra(t *testing.T) {
	t.Parallel()
	database := postgrestest.Empty(t)
	b, a := pythonExample(t, slipway.AgentServerAegra)
	if a.Kind != "aegra" || !strings.HasPrefix(a.Runtime["server"], "aegra-api ") {
		t.Errorf("artefact %+v", a)
	}
	begin(t, b, a, "").refuses(1, "database_missing", "POSTGRES_URI_CUSTOM is not set")
	begin(t, b, a, "", "POSTGRES_URI_CUSTOM=postgresql://x@127.0.0.1:1/x").refuses(75, "database_unreachable", "PostgreSQL can not be reached")

	uri := "POSTGRES_URI_CUSTOM=" + database
	one, two := begin(t, b, a, "", uri), begin(t, b, a, "", uri) // both make the tables
	one.serves()
	two.serves()
	if status, said := one.call("GET", "/health", nil); status != http.StatusOK {
		t.Errorf("health: %d, %v", status, said)
	}
	one.expectApart()
	thread := one.thread()
	one.says(thread, "memory", "one")
	if said := two.says(thread, "memory", "two"); said != "you said: one | two" {
		t.Errorf("the other instance: %q", said)
	}
	id := one.starts(thread, run("slow", "x", object{"delay_ms": 1500}))
	if code := one.terminate(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if status := two.status(thread, id); status != "success" {
		t.Errorf("the run is %s", status)
	}
	if code := two.terminate(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// Aegra's own count of its runs: without Redis none waits, with one they wait for
// whoever has workers.
func TestAegraTellsItsRuns(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, slipway.AgentServerAegra)
	slow := run("slow", "x", object{"delay_ms": 3_600_000})
	counts := func(what string, ask func(string) answer, want answer) {
		t.Helper()
		var got answer
		testsignal.Until(t, what, func() bool {
			got = ask("runs")
			oldest := got.OldestMS
			got.OldestMS = 0
			return got == want && (oldest > 0) == (want.Pending > 0 && want.Workers > 0)
		})
	}

	ask, control := controlled(t)
	alone := begin(t, b, a, "", "POSTGRES_URI_CUSTOM="+postgrestest.Empty(t), control, "SLIPWAY_DRAIN_SECONDS=0").serves()
	counts("no runs", ask, answer{})
	for range 2 {
		alone.starts(alone.thread(), slow)
	}
	counts("two that run", ask, answer{Running: 2})
	if said := ask("state"); said.State != "serving" {
		t.Errorf("state %+v", said)
	}
	alone.terminate()

	database, queue := "POSTGRES_URI_CUSTOM="+postgrestest.Empty(t), "REDIS_URI_CUSTOM="+redistest.Start(t)
	ask, control = controlled(t)
	works := begin(t, b, a, "", database, queue, control, "N_JOBS_PER_WORKER=1", "WORKER_COUNT=1", "SLIPWAY_DRAIN_SECONDS=0").serves()
	askIdle, control := controlled(t)
	idle := begin(t, b, a, "", database, queue, control, "WORKER_COUNT=0").serves()
	works.starts(works.thread(), slow)
	for range 2 {
		idle.call("POST", "/threads/"+idle.thread()+"/runs", slow)
	}
	counts("one that runs, two that wait", ask, answer{Running: 1, Pending: 2, Workers: 1, Shared: true})
	counts("two that wait for others", askIdle, answer{Pending: 2, Shared: true})
}

// An app that lists the server runs on its own; a package without a wheel is
// built; a folder without a project is a package by its name.
func TestPythonOwnServer(t *testing.T) {
	t.Parallel()
	b := realBuilder(t)
	a, log := built(t, b, request(t, map[string]string{
		"langgraph.json":    `{"dependencies": [".", "./words"], "graphs": {"a": "words.graph:graph"}, "env": ".env", "dockerfile_lines": ["RUN true"]}`,
		"requirements.txt":  "langgraph-api==0.16.6\nlanggraph\nlangchain-core\ndocopt==0.6.2\n",
		".env":              "WORD='from a file'\n",
		"words/__init__.py": "import docopt\n",
		"words/graph.py": `import importlib.metadata, os
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph

def say(state: MessagesState):
    return {"messages": [AIMessage(os.environ["WORD"] + " " + importlib.metadata.version("words"))]}

graph = StateGraph(MessagesState).add_node(say).add_edge(START, "say")
`,
	}))
	for _, want := range []string{"The app lists langgraph-api itself", "Warning: dockerfile_lines counts for images only", "have to be built from their source"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if a.Runtime["server"] != "langgraph-api 0.16.6" {
		t.Errorf("runtime %v", a.Runtime)
	}
	g := begin(t, b, a, t.TempDir()).serves()
	if said := g.says(g.thread(), "a", "x"); said != "from a file 0.1" {
		t.Errorf("it says %q", said)
	}
	if code := g.terminate(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// What uv and pip say is quoted, and put down to a code.
func TestPythonInstallFails(t *testing.T) {
	b := realBuilder(t)
	denied := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer denied.Close()
	app := func(requirements string, more ...string) map[string]string {
		return with(map[string]string{
			"langgraph.json":   `{"python_version": "3.12", "pip_installer": "INSTALLER", "dependencies": ["."], "graphs": {"a": "./a.py:graph"}}`,
			"requirements.txt": requirements, "a.py": "graph = 1",
		}, more...)
	}
	index := func(address string) map[string]string {
		files := app("six\n", "pip.conf", "[global]\nindex-url = "+address+"\n")
		files["langgraph.json"] = strings.Replace(files["langgraph.json"], "{", `{"pip_config_file": "pip.conf",`, 1)
		return files
	}
	project := func(more ...string) map[string]string {
		files := app("", more...)
		delete(files, "requirements.txt")
		return files
	}
	cases := map[string]struct {
		files         map[string]string
		code, message string
	}{
		"no such name":    {app("slipway-has-no-such-package\n"), "dependency_not_found", "slipway-has-no-such-package"},
		"no such version": {app("six==99.1\n"), "dependency_not_found", "six==99.1"},
		"conflict":        {app("requests==2.32.3\nurllib3==1.20\n"), "dependency_conflict", "urllib3"},
		"server":          {app("langgraph<0.4\n"), "version_conflict", "langgraph"},
		"unreachable":     {index("http://127.0.0.1:1/simple"), "registry_unreachable", "127.0.0.1"},
		"denied":          {index(denied.URL + "/simple"), "registry_denied", "401"},
		"no requirement":  {app("six =! 3\n"), "requirements_invalid", "six =! 3"},
		"broken build": {
			project("setup.py", "raise RuntimeError('no way to build this')"), "build_failed", "no way to build this",
		},
	}
	for name, c := range cases {
		installers := []string{"uv", "pip"}
		if name == "denied" {
			installers = []string{"uv"} // pip says that it found nothing
		}
		for _, installer := range installers {
			t.Run(name+" with "+installer, func(t *testing.T) {
				files := maps.Clone(c.files)
				files["langgraph.json"] = strings.Replace(files["langgraph.json"], "INSTALLER", installer, 1)
				var log lines
				_, err := b.Build(t.Context(), request(t, files), &log)
				t.Logf("%v\nlog:\n%s", err, &log)
				expectFailure(t, err, "install", c.code, c.message)
				expectNothing(t, realDir, "tmp")
			})
		}
	}
}

// What is wrong with the app's own files is found before anything is fetched.
func TestPythonCheckFails(t *testing.T) {
	t.Parallel()
	b := realBuilder(t)
	app := func(a string, more ...string) map[string]string {
		return with(map[string]string{
			"langgraph.json": `{"dependencies": ["."], "graphs": {"a": "./src/a.py:graph"}}`, "src/a.py": a,
		}, more...)
	}
	cases := map[string]struct {
		files               map[string]string
		step, code, message string
	}{
		"syntax":            {app("graph = 1\ndef f(:\n"), "check", "syntax_error", "src/a.py:2: invalid syntax: def f(:"},
		"syntax elsewhere":  {app("import lib.words\ngraph = 1", "src/lib/__init__.py", "", "src/lib/words.py", "x = [1,\n"), "check", "syntax_error", "src/lib/words.py:1: '[' was never closed"},
		"syntax of another": {app("try:\n    import lib\nexcept Exception: pass\ngraf = 1", "src/lib.py", "("), "check", "graph_not_found", `graph "a" is graph of src/a.py, which has no such name.`},
		"pyproject":         {app("graph = 1", "pyproject.toml", "[project\n"), "check", "pyproject_invalid", "pyproject.toml can not be read: "},
		"requirements":      {app("graph = 1", "requirements.txt", "-r more.txt\n"), "check", "requirements_invalid", "more.txt"},
		"python": {
			with(app("graph = 1"), "langgraph.json", `{"python_version": "3.99", "dependencies": ["."], "graphs": {"a": "./src/a.py:graph"}}`),
			"toolchain", "python_unavailable", "There is no Python 3.99: installed are 3.",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := b.Build(t.Context(), request(t, c.files), io.Discard)
			t.Log(err)
			expectFailure(t, err, c.step, c.code, c.message)
		})
	}
}

// Built twice from nothing at the same place, an app and all that it needs are
// the same to the byte.
func TestPythonIsReproducible(t *testing.T) {
	b := realBuilder(t)
	r := request(t, folder(t, "../examples/monorepo-py"))
	r.ConfigPath = "agents/assistant/langgraph.json"
	built(t, b, r) // what is fetched lies in the caches of the tools
	dir := filepath.Join(t.TempDir(), "data")
	var made [2]map[string]string
	for i := range made {
		if err := os.MkdirAll(filepath.Join(dir, "cache"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"python-tools", "toolchains"} {
			if err := os.Symlink(filepath.Join(realDir, "cache", name), filepath.Join(dir, "cache", name)); err != nil {
				t.Fatal(err)
			}
		}
		fresh := open(t, dir)
		a, _ := built(t, fresh, r)
		if i > 0 { // and once more the packages alone, which a start makes again when they are gone
			exec.Command("chmod", "-R", "u+w", dir).Run()
			if err := os.RemoveAll(filepath.Join(dir, "cache", "dependencies")); err != nil {
				t.Fatal(err)
			}
			if _, err := fresh.Launch(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			expectNothing(t, dir, "tmp")
		}
		made[i] = digests(t, dir, "bundles", "cache/dependencies")
		exec.Command("chmod", "-R", "u+w", dir).Run()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if len(made[0]) < 1000 {
		t.Errorf("compared are %d files", len(made[0]))
	}
	for name, digest := range made[0] {
		if made[1][name] != digest {
			t.Errorf("%s differs", name)
		}
		delete(made[1], name)
	}
	for name := range made[1] {
		t.Errorf("%s is there the second time only", name)
	}
}

// digests of the files and links below folders, by name.
func digests(t *testing.T, dir string, folders ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range folders {
		err := filepath.WalkDir(filepath.Join(dir, name), func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(file)
			if entry.Type()&fs.ModeSymlink != 0 {
				var target string
				target, err = os.Readlink(file)
				content = []byte(target)
			}
			found[strings.TrimPrefix(file, dir)] = fmt.Sprintf("%x", sha256.Sum256(content))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// with is a copy of files with some changed.
func with(files map[string]string, changes ...string) map[string]string {
	changed := maps.Clone(files)
	for i := 0; i < len(changes); i += 2 {
		changed[changes[i]] = changes[i+1]
	}
	return changed
}

// Two packages, the configuration deeper than the root, a file of data.
func TestMonorepoExample(t *testing.T) {
	t.Parallel()
	b := realBuilder(t)
	files := folder(t, "../examples/monorepo-py")
	r := request(t, files)
	r.ConfigPath = "agents/assistant/langgraph.json"
	a, _ := built(t, b, r)
	g := begin(t, b, a, t.TempDir()).serves()
	for graph, want := range map[string]string{"assistant": "Hello, you. (shared-lib 1.2.3)", "shout": "YOU!"} {
		if said := g.says(g.thread(), graph, "you"); said != want {
			t.Errorf("%s says %q", graph, said)
		}
	}
	g.terminate()

	r = request(t, with(files, "agents/shared-lib/src/shared_lib/phrases.txt", "hello: Hi, {}.\n"))
	r.ConfigPath = "agents/assistant/langgraph.json"
	changed, log := built(t, b, r)
	if !strings.Contains(log, "dependencies are unchanged") {
		t.Errorf("after a change of a line:\n%s", log)
	}
	g = begin(t, b, changed, t.TempDir()).serves()
	if said := g.says(g.thread(), "assistant", "you"); said != "Hi, you. (shared-lib 1.2.3)" {
		t.Errorf("after a change it says %q", said)
	}
}

func TestUVWorkspace(t *testing.T) {
	t.Parallel()
	b := realBuilder(t)
	files := folder(t, "testdata/workspace-py")
	r := request(t, files)
	r.ConfigPath = "apps/agent/langgraph.json"
	a, _ := built(t, b, r)
	g := begin(t, b, a, t.TempDir()).serves()
	if said := g.says(g.thread(), "echo", "x"); said != "hello" {
		t.Errorf("it says %q", said)
	}

	r = request(t, with(files, "apps/agent/pyproject.toml", strings.Replace(files["apps/agent/pyproject.toml"], `"words"`, `"words", "six"`, 1)))
	r.ConfigPath = "apps/agent/langgraph.json"
	var log lines
	_, err := b.Build(t.Context(), r, &log)
	t.Logf("%v\nlog:\n%s", err, &log)
	expectFailure(t, err, "install", "lock_stale", "needs to be updated")
}

// What pip makes is what uv makes: it is the way where uv can not be had.
func TestPip(t *testing.T) {
	t.Parallel()
	b := realBuilder(t)
	files := folder(t, "../examples/monorepo-py")
	config := "agents/assistant/langgraph.json"
	r := request(t, with(files, config, strings.Replace(files[config], "{", `{"pip_installer": "pip",`, 1)))
	r.ConfigPath = config
	a, _ := built(t, b, r)
	if a.Runtime["pip"] == "" || a.Runtime["uv"] != "" {
		t.Errorf("runtime %v", a.Runtime)
	}
	g := begin(t, b, a, t.TempDir()).serves()
	if said := g.says(g.thread(), "assistant", "you"); said != "Hello, you. (shared-lib 1.2.3)" {
		t.Errorf("it says %q", said)
	}
}
