package appconfig_test

import (
	"reflect"
	"testing"

	"github.com/slipwayhq/slipway/build/appconfig"
)

func TestLoadPython(t *testing.T) {
	root := source(t, "apps/one/langgraph.json", `{
		"python_version": "3.12", "pip_installer": "pip", "pip_config_file": "pip.conf",
		"dependencies": [".", "./lib", "../shared", "langchain-openai>=1", "."],
		"graphs": {"a": {"path": "./a.py:graph", "description": "A"}, "b": "agent.graphs:b", "c": "a.py:other"},
		"auth": {"path": "./auth.py:auth"}, "http": {"app": "agent.web:app", "cors": {}}, "ui": {"card": "./ui.tsx"},
		"checkpointer": {"ttl": {}}, "store": {"index": {"embed": "./embed.py:fn"}}
	}`, "apps/one/a.py", "apps/one/auth.py", "apps/one/ui.tsx", "apps/one/pip.conf", "apps/one/lib/x", "apps/shared/y")
	c, err := appconfig.Load(root, "apps/one/langgraph.json")
	if err != nil {
		t.Fatal(err)
	}
	if want := (appconfig.PythonConfig{
		Minor: 12, Installer: appconfig.Pip, PipConfig: "apps/one/pip.conf",
		Dependencies: []string{"langchain-openai>=1"}, Folders: []string{"apps/one", "apps/one/lib", "apps/shared"},
	}); !reflect.DeepEqual(c.Python, want) {
		t.Errorf("python %+v", c.Python)
	}
	if want := []appconfig.Graph{
		{Name: "a", File: "apps/one/a.py", Export: "graph"},
		{Name: "b", Module: "agent.graphs", Export: "b"},
		{Name: "c", File: "apps/one/a.py", Export: "other"},
	}; !reflect.DeepEqual(c.Graphs, want) {
		t.Errorf("graphs %+v", c.Graphs)
	}
	if want := []appconfig.Use{
		{Place: "auth.path", File: "apps/one/auth.py", Export: "auth"},
		{Place: "http.app", Module: "agent.web", Export: "app"},
		{Place: "ui.card", File: "apps/one/ui.tsx"},
	}; !reflect.DeepEqual(c.Uses, want) {
		t.Errorf("uses %+v", c.Uses)
	}
}

func TestLoadWorkspace(t *testing.T) {
	root := source(t, "apps/one/langgraph.json", `{"source": {"kind": "uv", "root": "../..", "package": "one"}, "graphs": {"a": "./a.py:a"}}`,
		"apps/one/a.py", "pyproject.toml", "uv.lock")
	c, err := appconfig.Load(root, "apps/one/langgraph.json")
	if err != nil || c.Python.Workspace == nil || *c.Python.Workspace != (appconfig.Workspace{Root: ".", Package: "one"}) || c.Python.Installer != appconfig.AutoInstaller {
		t.Errorf("got %+v, %v", c.Python, err)
	}
}

func TestLoadRefusesPython(t *testing.T) {
	app := func(more string) string { return `{"graphs": {"a": "./a.py:a"}, ` + more + `}` }
	cases := map[string]struct {
		config        string
		code, message string
		hint          string
	}{
		"no dependencies":    {`{"graphs": {"a": "./a.py:a"}}`, "no_dependencies", `"dependencies" is empty`, `"."`},
		"a string":           {app(`"dependencies": "."`), "config_invalid", "list of strings", ""},
		"an option":          {app(`"dependencies": ["--index-url=x"]`), "config_invalid", `"--index-url=x"`, "pip_config_file"},
		"two lines":          {app(`"dependencies": ["a\n-e b"]`), "config_invalid", "neither", ""},
		"credentials":        {app(`"dependencies": ["x @ git+https://user:secret@host/x"]`), "config_invalid", "credentials", "secret"},
		"no folder":          {app(`"dependencies": ["./lib"]`), "dependency_not_found", "folder lib,", "packed"},
		"a file":             {app(`"dependencies": ["./a.py"]`), "dependency_not_found", "folder a.py,", ""},
		"folder outside":     {app(`"dependencies": ["../lib"]`), "dependency_outside", `"../lib"`, "langgraph_config_path"},
		"no name":            {`{"graphs": {"a": "./a.py"}, "dependencies": ["."]}`, "config_invalid", `graph "a" names a.py`, `"a.py:graph"`},
		"no file":            {`{"graphs": {"a": "./b.py:a"}, "dependencies": ["."]}`, "graph_not_found", "b.py", "a.py"},
		"old python":         {app(`"dependencies": ["."], "python_version": "3.10"`), "python_version_invalid", "3.11", ""},
		"patch version":      {app(`"dependencies": ["."], "python_version": "3.12.1"`), "python_version_invalid", `"3.12.1"`, `"3.12"`},
		"two":                {app(`"dependencies": ["."], "python_version": "2.7"`), "python_version_invalid", "", ""},
		"installer":          {app(`"dependencies": ["."], "pip_installer": "poetry"`), "config_invalid", `"poetry"`, ""},
		"no pip config":      {app(`"dependencies": ["."], "pip_config_file": "pip.conf"`), "file_not_found", "pip.conf", ""},
		"pip config outside": {app(`"dependencies": ["."], "pip_config_file": "/etc/../../pip.conf"`), "file_outside", "pip.conf", ""},
		"no auth":            {app(`"dependencies": ["."], "auth": {"path": "./auth.py:auth"}`), "file_not_found", `"auth.path" is in auth.py`, "a.py"},
		"auth without name":  {app(`"dependencies": ["."], "auth": {"path": "./a.py"}`), "config_invalid", `"auth.path"`, ""},
		"app outside":        {app(`"dependencies": ["."], "http": {"app": "../a.py:app"}`), "file_outside", `"http.app"`, ""},
		"source kind":        {app(`"source": {"kind": "pip"}`), "config_invalid", `"source"`, ""},
		"source and more":    {app(`"source": {"kind": "uv"}, "dependencies": ["."]`), "config_invalid", "do not go together", "uv.lock"},
		"source outside":     {app(`"source": {"kind": "uv", "root": ".."}`), "dependency_outside", `".."`, "workspace"},
		"no lock":            {app(`"source": {"kind": "uv"}`), "lock_missing", "uv.lock", "uv lock"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := appconfig.Load(source(t, "langgraph.json", c.config, "a.py", "pyproject.toml"), "langgraph.json")
			expect(t, err, c.code, c.message, c.hint)
		})
	}
}
