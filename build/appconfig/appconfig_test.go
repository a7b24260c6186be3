package appconfig_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
)

// source is a folder with empty files and one configuration.
func source(t *testing.T, name, config string, files ...string) string {
	t.Helper()
	root := t.TempDir()
	write := func(name, content string) {
		path := filepath.Join(root, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range files {
		write(file, "")
	}
	if name != "" {
		write(name, config)
	}
	return root
}

func TestLoad(t *testing.T) {
	root := source(t, "apps/one/langgraph.json", "\ufeff"+`{
		"node_version": "22", "dependencies": ["."], "env": ".env", "unknown": {"a": [1]},
		"graphs": {"b": {"path": "./src/b.mts:make", "description": "B"}, "a": "../common/a.ts"}
	}`, "apps/one/src/b.mts", "apps/common/a.ts")
	c, err := appconfig.Load(root, "apps/one/langgraph.json")
	if err != nil {
		t.Fatal(err)
	}
	want := []appconfig.Graph{{Name: "a", File: "apps/common/a.ts"}, {Name: "b", File: "apps/one/src/b.mts", Export: "make"}}
	if !slices.Equal(c.Graphs, want) {
		t.Errorf("graphs %+v", c.Graphs)
	}
	if c.Node != 22 || c.Language != appconfig.JavaScript || c.Dir() != "apps/one" || c.EnvFile != "apps/one/.env" {
		t.Errorf("got %+v", c)
	}
	if string(c.Raw["unknown"]) != `{"a": [1]}` {
		t.Errorf("raw %s", c.Raw["unknown"])
	}
	if !c.EnvFileMissing(root) {
		t.Error("the env file is not missed")
	}
}

func TestLoadTakes(t *testing.T) {
	cases := map[string]struct {
		config   string
		node     int
		language appconfig.Language
	}{
		"least":          {`{"graphs": {"a": "./a.ts:a"}}`, 20, "js"},
		"a number":       {`{"graphs": {"a": "a.ts:a"}, "node_version": 24}`, 24, "js"},
		"null":           {`{"graphs": {"a": "a.ts:a"}, "node_version": null, "env": null}`, 20, "js"},
		"env object":     {`{"graphs": {"a": "a.ts:a"}, "env": {"A": "1", "B": 2}}`, 20, "js"},
		"env list":       {`{"graphs": {"a": "a.ts:a"}, "env": []}`, 20, "js"},
		"python":         {`{"graphs": {"a": "./a.py:graph"}, "dependencies": ["."]}`, 20, "python"},
		"case of a key":  {`{"graphs": {"a": {"path": "./a.ts:a"}}}`, 20, "js"},
		"v before":       {`{"graphs": {"a": "./a.ts:a"}, "node_version": "v22"}`, 22, "js"},
		"python, not us": {`{"graphs": {"a": "./a.ts:a"}, "python_version": "3.12"}`, 20, "js"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := appconfig.Load(source(t, "langgraph.json", c.config, "a.ts", "a.py"), "langgraph.json")
			if err != nil || got.Node != c.node || got.Language != c.language {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	cases := map[string]struct {
		config  string
		code    string
		message string // part of it
		hint    string // part of it
	}{
		"comma":            {"{\n  \"graphs\": {},\n}", "config_invalid", "langgraph.json:3:1: invalid character '}'", ""},
		"cut":              {`{"graphs": {`, "config_invalid", "langgraph.json:1:12: unexpected end of JSON input", ""},
		"empty":            {``, "config_invalid", "langgraph.json:1:1: unexpected end", ""},
		"a list":           {`[]`, "config_invalid", "langgraph.json:1:1: array where an object is needed", ""},
		"graphs a list":    {`{"graphs": ["./a.ts:a"]}`, "config_invalid", `"graphs" is array where an object`, ""},
		"no graphs":        {`{}`, "no_graphs", "names no graph", ""},
		"empty graphs":     {`{"graphs": {}}`, "no_graphs", "", ""},
		"graph a number":   {`{"graphs": {"a": 1}}`, "config_invalid", `graph "a"`, ""},
		"graph without":    {`{"graphs": {"a": {"description": "x"}}}`, "config_invalid", `graph "a"`, ""},
		"graph :export":    {`{"graphs": {"a": ":a"}}`, "config_invalid", `graph "a"`, ""},
		"missing file":     {`{"graphs": {"a": "./src/graf.ts:a"}}`, "graph_not_found", `graph "a" is in src/graf.ts`, "graph.ts"},
		"missing folder":   {`{"graphs": {"a": "./lib/graph.ts:a"}}`, "graph_not_found", "lib/graph.ts", "packed"},
		"a folder":         {`{"graphs": {"a": "./dir.ts:a"}}`, "graph_not_found", "dir.ts", ""},
		"outside":          {`{"graphs": {"a": "../a.ts:a"}}`, "graph_outside", "../a.ts", ""},
		"other language":   {`{"graphs": {"a": "./src/a.rb:a"}}`, "graph_language", "src/a.rb", ".ts"},
		"both languages":   {`{"graphs": {"a": "./src/graph.ts:a", "b": "./b.py:b"}}`, "mixed_languages", `"a" and "b"`, ""},
		"old node":         {`{"graphs": {"a": "./src/graph.ts:a"}, "node_version": "18"}`, "node_version_invalid", "18", ""},
		"exact node":       {`{"graphs": {"a": "./src/graph.ts:a"}, "node_version": "20.1"}`, "node_version_invalid", `"20.1"`, "major"},
		"node in an array": {`{"graphs": {"a": "./src/graph.ts:a"}, "node_version": [20]}`, "node_version_invalid", "", ""},
		"env a number":     {`{"graphs": {"a": "./src/graph.ts:a"}, "env": 3}`, "config_invalid", `"env"`, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			root := source(t, "langgraph.json", c.config, "src/graph.ts", "dir.ts/x")
			_, err := appconfig.Load(root, "langgraph.json")
			expect(t, err, c.code, c.message, c.hint)
		})
	}
}

func TestLoadWithoutFile(t *testing.T) {
	_, err := appconfig.Load(source(t, "agent/langgraph.json", "{}"), "langgraph.json")
	expect(t, err, "config_not_found", "no langgraph.json", "agent/langgraph.json")
	_, err = appconfig.Load(source(t, "", ""), "my.json")
	expect(t, err, "config_not_found", "no my.json", "langgraph_config_path")
	_, err = appconfig.Load(source(t, "", "", "langgraph.json/x"), "langgraph.json")
	expect(t, err, "config_invalid", "is a directory", "")
}

func TestCheckPath(t *testing.T) {
	for in, want := range map[string]string{"": "langgraph.json", "./a/l.json": "a/l.json", "a/../b.json": "b.json"} {
		if got, err := appconfig.CheckPath(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"/etc/passwd", "../x", "a/../../x", ".", "a\nb"} {
		_, err := appconfig.CheckPath(in)
		expect(t, err, "config_outside", "", "")
	}
}

func expect(t *testing.T, err error, code, message, hint string) {
	t.Helper()
	f, ok := errors.AsType[*slipway.Failure](err)
	if !ok {
		t.Fatalf("error %v is no failure", err)
	}
	if f.Code != code || f.Step != "config" || !strings.Contains(f.Message, message) || !strings.Contains(f.Hint, hint) {
		t.Errorf("got %s in %s: %s (%s)", f.Code, f.Step, f.Message, f.Hint)
	}
}
