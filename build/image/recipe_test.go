package image

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
)

var update = flag.Bool("update", false, "write the golden files anew")

func load(t *testing.T, dir, config string) app {
	t.Helper()
	c, err := appconfig.Load(dir, config)
	if err != nil {
		t.Fatal(err)
	}
	return app{config: c, files: os.DirFS(dir), base: base{reference: "base", from: "base@sha256:0"}, mounts: true, owner: "0123"}
}

// The Dockerfile of each app in testdata, and which files of ours come with it.
func TestPlan(t *testing.T) {
	cases := map[string]struct {
		config string
		change func(*app)
	}{
		"python-server":    {"langgraph.json", func(a *app) { a.base.serves = true }},
		"python-plain":     {"apps/one/langgraph.json", func(a *app) { a.secrets = []string{"TOKEN"} }},
		"python-aegra":     {"langgraph.json", func(a *app) { a.server = slipway.AgentServerAegra }},
		"python-workspace": {"agents/one/langgraph.json", func(a *app) { a.base.serves = true }},
		"node-server":      {"langgraph.json", func(a *app) { a.base.serves = true }},
		"node-plain":       {"apps/one/langgraph.json", func(a *app) { a.secrets = []string{"NPM_TOKEN"} }},
		"node-commands": {"langgraph.json", func(a *app) {
			a.base.serves, a.install, a.build = true, "--mount=type=bind npm install && echo # done", "npm run build"
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := load(t, filepath.Join("testdata", name, "app"), c.config)
			c.change(&a)
			r, err := plan(a)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			got.WriteString(r.dockerfile)
			for _, file := range sorted(r.ours) {
				if !strings.HasPrefix(file, contextServer) {
					got.WriteString("\n# " + file + "\n" + string(r.ours[file]))
				}
			}
			golden := filepath.Join("testdata", name, "Dockerfile")
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != got.String() {
				t.Errorf("%v; got\n%s", err, got.String())
			}
		})
	}
}

// What an app says of itself, by names and values, does not become instructions.
func TestPlanRefuses(t *testing.T) {
	python := func(more string) string { return `{"dependencies": ["."], "graphs": {"a": "./a.py:a"}, ` + more + `}` }
	cases := map[string]struct {
		config string
		files  []string
		change func(*app)
		code   string
	}{
		"a folder with a space":     {`{"dependencies": ["./a b"], "graphs": {"a": "./a.py:a"}}`, []string{"a b/x"}, nil, "name_refused"},
		"a folder with two lines":   {`{"dependencies": ["./a\nRUN evil"], "graphs": {"a": "./a.py:a"}}`, nil, nil, "config_invalid"},
		"a folder of the shell":     {`{"dependencies": ["./$(evil)"], "graphs": {"a": "./a.py:a"}}`, []string{"$(evil)/x"}, nil, "name_refused"},
		"another base":              {python(`"dockerfile_lines": ["RUN true\n  from scratch"]`), nil, nil, "dockerfile_lines_refused"},
		"another base in parts":     {python(`"dockerfile_lines": ["F\\", "# a comment", "", "RO\\ \nM scratch", "RUN true"]`), nil, nil, "dockerfile_lines_refused"},
		"lines that are no list":    {python(`"dockerfile_lines": "RUN true"`), nil, nil, "config_invalid"},
		"lines that are no strings": {python(`"dockerfile_lines": [1]`), nil, nil, "config_invalid"},
		"an unknown tool":           {python(`"keep_pkg_tools": ["npm"]`), nil, nil, "config_invalid"},
		"aegra in the vendor's":     {python(`"env": {}`), nil, func(a *app) { a.server, a.base.serves = slipway.AgentServerAegra, true }, "base_brings_server"},
		"secrets without BuildKit":  {python(`"env": {}`), nil, func(a *app) { a.secrets, a.mounts = []string{"TOKEN"}, false }, "secrets_need_buildkit"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range append(c.files, "langgraph.json", "a.py") {
				if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755), os.WriteFile(filepath.Join(dir, file), []byte(c.config), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			config, err := appconfig.Load(dir, "langgraph.json")
			if err == nil {
				a := load(t, dir, "langgraph.json")
				a.config = config
				if c.change != nil {
					c.change(&a)
				}
				_, err = plan(a)
			}
			if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != c.code {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestReference(t *testing.T) {
	bases := DefaultBases()
	cases := []struct {
		bases  Bases
		config string
		want   string
	}{
		{bases, `"dependencies": ["."]`, "langchain/langgraph-api:3.11"},
		{bases, `"dependencies": ["."], "python_version": "3.12"`, "langchain/langgraph-api:3.12"},
		{bases, `"dependencies": ["."], "image_distro": "wolfi"`, "langchain/langgraph-api:3.11-wolfi"},
		{bases, `"dependencies": ["."], "api_version": "0.2"`, "langchain/langgraph-api:0.2-py3.11"},
		{bases, `"dependencies": ["."], "base_image": "langchain/langgraph-server:0.2"`, "langchain/langgraph-server:0.2-py3.11"},
		{bases, `"dependencies": ["."], "base_image": "host:5000/own"`, "host:5000/own:3.11"},
		{Bases{Python: "python:3.12-slim"}, `"dependencies": ["."], "python_version": "3.13"`, "python:3.12-slim"},
		{bases, `"dependencies": ["."], "base_image": "a b"`, ""},
		{bases, `"dependencies": ["."], "base_image": "x\nRUN evil"`, ""},
		{bases, `"dependencies": ["."], "base_image": "X:Y:Z"`, ""},
		{bases, `"dependencies": ["."], "image_distro": 1`, ""},
	}
	for _, c := range cases {
		dir := t.TempDir()
		if err := errors.Join(
			os.WriteFile(filepath.Join(dir, "a.py"), nil, 0o644),
			os.WriteFile(filepath.Join(dir, "langgraph.json"), []byte(`{"graphs": {"a": "./a.py:a"}, `+c.config+`}`), 0o644),
		); err != nil {
			t.Fatal(err)
		}
		got, err := c.bases.reference(load(t, dir, "langgraph.json").config)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %q, %v; want %q", c.config, got, err, c.want)
		}
	}
}

func TestServes(t *testing.T) {
	cases := []struct {
		reference string
		label     string
		want      bool
	}{
		{"langchain/langgraph-api:3.12", "", true},
		{"host:5000/mirror/langgraphjs-api", "", true},
		{"langchain/langgraph-server:0.2-py3.11", "", true},
		{"langgraph-api@sha256:" + strings.Repeat("0", 64), "", true},
		{"python:3.12-slim", "", false},
		{"company/langgraph-apis/python", "", false},
		{"company/own", "true", true},
		{"langchain/langgraph-api", "false", false},
	}
	for _, c := range cases {
		labels := map[string]string{labelServer: c.label}
		if got := serves(c.reference, labels); got != c.want {
			t.Errorf("%s (%s): %v", c.reference, c.label, got)
		}
	}
}

// Only a server of ours that keeps files owns state.
func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		server slipway.AgentServer
		serves bool
		want   string
	}{
		{"", false, StateKind},
		{slipway.AgentServerLangGraph, false, StateKind},
		{"", true, ServerKind},
		{slipway.AgentServerAegra, false, AegraKind},
	} {
		if got := kindOf(c.server, base{serves: c.serves}); got != c.want {
			t.Errorf("server %q, brought by the base %v: kind %s, want %s", c.server, c.serves, got, c.want)
		}
	}
}

// Only an agent server in its production form needs databases: one of ours in an
// image keeps files, and of any other nothing is known.
func TestKindOfFetched(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want string
	}{
		{[]string{"PATH=/bin", "LANGSERVE_GRAPHS={}"}, ServerKind},
		{[]string{"LANGSERVE_GRAPHS={}", "SLIPWAY_APP_DIR=/deps/app"}, Kind},
		{[]string{"LANGSERVE_GRAPHS_DIR=/x"}, Kind},
		{nil, Kind},
	} {
		if got := KindOf(c.env); got != c.want {
			t.Errorf("%q is of kind %s, want %s", c.env, got, c.want)
		}
	}
}
