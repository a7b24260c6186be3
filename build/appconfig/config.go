package appconfig

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/build/internal/jsonfile"
)

// Step is the step of every failure of this package.
const Step = "config"

// DefaultPath is where the configuration lies unless a client says otherwise.
const DefaultPath = "langgraph.json"

// MinNode is the lowest major version of Node that an Agent Server runs on.
const MinNode = 20

// Language that an app's graphs are written in.
type Language string

const (
	JavaScript Language = "js" // TypeScript too
	Python     Language = "python"
)

// Config is what a build needs to know of an app.
type Config struct {
	Path     string // of the file, relative to the root of the source
	Graphs   []Graph
	Language Language
	Node     int                        // lowest major version that will do, at least MinNode
	Python   PythonConfig               // of an app in Python
	Uses     []Use                      // what else of the app is imported, by place
	EnvFile  string                     // relative to the root, "" if env is not a file
	Raw      map[string]json.RawMessage // all keys, for what a kind alone knows
}

// Dir is the folder of the configuration, "." for the root.
func (c Config) Dir() string { return path.Dir(c.Path) }

// Graph is one entry of graphs.
type Graph struct {
	Name   string
	File   string // relative to the root of the source, "" if a module is named
	Module string // of Python, found by importing it: my_agent.graph
	Export string // "" is the default one
}

// CheckPath refuses places for the configuration that are not in the source,
// and returns the place with the default filled in.
func CheckPath(name string) (string, error) {
	name = path.Clean(cmp.Or(name, DefaultPath))
	if !fs.ValidPath(name) || name == "." || strings.ContainsFunc(name, isControl) {
		return "", failure.New(Step, "config_outside", "The configuration's path %q is not one inside the source.", name)
	}
	return name, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Load reads the configuration of an app, and looks that the files that it
// names are there.
func Load(root, name string) (Config, error) {
	source, err := os.OpenRoot(root)
	if err != nil {
		return Config{}, err
	}
	defer source.Close()
	content, err := source.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, notFound(root, name)
	}
	if err != nil {
		return Config{}, unreadable(name, err)
	}
	c, err := parse(name, content)
	if err != nil {
		return Config{}, err
	}
	return c, c.checkFiles(source)
}

func unreadable(name string, err error) error {
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		err = cause.Err
	}
	return failure.New(Step, "config_invalid", "%s can not be read: %v.", name, err)
}

// notFound helps with the usual reason: the file lies elsewhere.
func notFound(root, name string) error {
	f := failure.New(Step, "config_not_found", "There is no %s in the source.", name)
	if others, _ := fs.Glob(os.DirFS(root), "*/"+DefaultPath); len(others) > 0 {
		return failure.WithHint(f, "There is %s: set langgraph_config_path to it.", others[0])
	}
	return failure.WithHint(f, "Put a langgraph.json at the root of the source, or set langgraph_config_path.")
}

// file is langgraph.json as it is written. What is not read here at all may have
// any form.
type file struct {
	Graphs        map[string]json.RawMessage `json:"graphs"`
	NodeVersion   json.RawMessage            `json:"node_version"`
	PythonVersion json.RawMessage            `json:"python_version"`
	Env           json.RawMessage            `json:"env"`
	Dependencies  json.RawMessage            `json:"dependencies"`
	PipConfigFile json.RawMessage            `json:"pip_config_file"`
	PipInstaller  json.RawMessage            `json:"pip_installer"`
	Source        json.RawMessage            `json:"source"`
}

func parse(name string, content []byte) (Config, error) {
	c := Config{Path: name}
	var f file
	for _, into := range []any{&c.Raw, &f} {
		if err := jsonfile.Unmarshal(name, content, into); err != nil {
			return c, failure.New(Step, "config_invalid", "%v.", err)
		}
	}
	for _, read := range []func(file) error{c.readGraphs, c.readLanguage, c.readNode, c.readEnv, c.readPython} {
		if err := read(f); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *Config) wrong(code, format string, args ...any) *slipway.Failure {
	return failure.New(Step, code, "%s: %s.", c.Path, fmt.Sprintf(format, args...))
}

func (c *Config) readGraphs(f file) error {
	for name, raw := range f.Graphs {
		g, err := c.readGraph(name, raw)
		if err != nil {
			return err
		}
		c.Graphs = append(c.Graphs, g)
	}
	slices.SortFunc(c.Graphs, func(a, b Graph) int { return cmp.Compare(a.Name, b.Name) })
	if len(c.Graphs) == 0 {
		return c.wrong("no_graphs", `"graphs" names no graph`)
	}
	return nil
}

func (c *Config) readGraph(name string, raw json.RawMessage) (Graph, error) {
	var spec string
	var long struct{ Path string }
	if json.Unmarshal(raw, &spec) != nil && json.Unmarshal(raw, &long) == nil {
		spec = long.Path
	}
	file, export, _ := strings.Cut(spec, ":")
	if file == "" {
		return Graph{}, c.wrong("config_invalid", `graph %q is not written as "./file.ts:export", "./file.py:name" or {"path": …}`, name)
	}
	if isModule(file) && export != "" {
		return Graph{Name: name, Module: file, Export: export}, nil
	}
	return Graph{Name: name, File: path.Join(c.Dir(), file), Export: export}, nil
}

// isModule tells my_agent.graph from a file.
func isModule(spec string) bool {
	return languages[path.Ext(spec)] == "" && moduleName.MatchString(spec)
}

var moduleName = regexp.MustCompile(`^[\pL_][\pL\pN_]*(\.[\pL_][\pL\pN_]*)*$`)

func (c *Config) readEnv(f file) error {
	var name string
	if json.Unmarshal(f.Env, &name) == nil && name != "" {
		c.EnvFile = path.Join(c.Dir(), name)
		return nil
	}
	var pairs map[string]any
	if len(f.Env) > 0 && json.Unmarshal(f.Env, &pairs) != nil && !bytes.Equal(f.Env, []byte("[]")) {
		return c.wrong("config_invalid", `"env" is neither an object nor the name of a file`)
	}
	return nil
}
