package appconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

// MinPython is the lowest minor version of Python 3 that an Agent Server runs on.
const MinPython = 11

// PythonConfig is what langgraph.json says of an app in Python.
type PythonConfig struct {
	Minor        int       // of Python 3: exactly this one, 0 for any that will do
	Dependencies []string  // requirements as pip takes them: "langchain-openai>=1"
	Folders      []string  // local ones, relative to the root, in order
	PipConfig    string    // pip's configuration file, relative to the root, "" for none
	Installer    Installer // who installs
	Workspace    *Workspace
}

// Installer of Python packages.
type Installer string

// Installers that an app may ask for.
const (
	AutoInstaller Installer = "auto" // uv if it can be had
	UV            Installer = "uv"
	Pip           Installer = "pip"
)

// Workspace is a source whose dependencies are those of a uv.lock.
type Workspace struct {
	Root    string // folder of pyproject.toml and uv.lock, relative to the root
	Package string // member that is deployed, "" for the one that the configuration lies in
}

// Use is a file or module of the app that the server imports beside graphs.
type Use struct {
	Place  string // in langgraph.json: auth.path
	File   string // relative to the root of the source, "" if a module is named
	Module string
	Export string
}

// readPython reads the keys that only apps in Python have.
func (c *Config) readPython(f file) error {
	if c.Language != Python {
		return nil
	}
	for _, read := range []func(file) error{
		c.readPythonVersion, c.readDependencies, c.readInstaller, c.readWorkspace, c.readUses, c.wantDependencies,
	} {
		if err := read(f); err != nil {
			return err
		}
	}
	for _, g := range c.Graphs {
		if g.Export == "" {
			return failure.WithHint(c.wrong("config_invalid", "graph %q names %s and nothing in it", g.Name, g.File),
				"Add the name of the graph: %q.", g.File+":graph")
		}
	}
	return nil
}

var pythonVersion = regexp.MustCompile(`^3\.(\d{1,3})(-[a-z]+)?$`) // of a distribution, which is for images

func (c *Config) readPythonVersion(f file) error {
	if absent(f.PythonVersion) {
		return nil
	}
	text := string(f.PythonVersion)
	json.Unmarshal(f.PythonVersion, &text)
	found := pythonVersion.FindStringSubmatch(text)
	if found == nil {
		return failure.WithHint(c.wrong("python_version_invalid", `"python_version" is %s, which is not a minor version of Python 3`, f.PythonVersion),
			`Write it without the patch version: "python_version": "3.12".`)
	}
	fmt.Sscan(found[1], &c.Python.Minor)
	if c.Python.Minor < MinPython {
		return c.wrong("python_version_invalid", `"python_version" is %s; the lowest that the Agent Server runs on is 3.%d`, text, MinPython)
	}
	return nil
}

func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// readDependencies tells folders, which begin with a dot, from requirements.
func (c *Config) readDependencies(f file) error {
	var all []string
	if !absent(f.Dependencies) && json.Unmarshal(f.Dependencies, &all) != nil {
		return c.wrong("config_invalid", `"dependencies" is not a list of strings`)
	}
	for _, d := range all {
		switch {
		case strings.TrimSpace(d) == "" || strings.HasPrefix(d, "-") || strings.ContainsAny(d, "\r\n"):
			return failure.WithHint(c.wrong("config_invalid", `"dependencies" has %q, which is neither a folder nor a requirement`, d),
				`Write folders as "./name" and packages as "name" or "name==version"; options of pip go into pip_config_file or requirements.txt.`)
		case credentials.MatchString(d):
			return failure.WithHint(c.wrong("config_invalid", `"dependencies" has an address with credentials in it, which is not shown here`),
				"Take them out, and give them to the build as a secret.")
		case strings.HasPrefix(d, "."):
			if err := c.addFolder(d); err != nil {
				return err
			}
		default:
			c.Python.Dependencies = append(c.Python.Dependencies, d)
		}
	}
	return nil
}

var credentials = regexp.MustCompile(`git\+https?://[^/\s]*@`)

func (c *Config) addFolder(d string) error {
	folder := path.Join(c.Dir(), d)
	if !fs.ValidPath(folder) {
		return failure.WithHint(c.wrong("dependency_outside", `"dependencies" has %q, which is not inside the source`, d),
			"Deploy from the folder that holds both, and set langgraph_config_path to the configuration in it.")
	}
	if !slices.Contains(c.Python.Folders, folder) {
		c.Python.Folders = append(c.Python.Folders, folder)
	}
	return nil
}

func (c *Config) readInstaller(f file) error {
	c.Python.Installer = AutoInstaller
	if !absent(f.PipInstaller) {
		json.Unmarshal(f.PipInstaller, &c.Python.Installer)
	}
	if !slices.Contains([]Installer{AutoInstaller, UV, Pip}, c.Python.Installer) {
		return c.wrong("config_invalid", `"pip_installer" is %s; it is one of "auto", "uv" and "pip"`, f.PipInstaller)
	}
	if absent(f.PipConfigFile) {
		return nil
	}
	var name string
	if json.Unmarshal(f.PipConfigFile, &name) != nil || name == "" {
		return c.wrong("config_invalid", `"pip_config_file" is not the name of a file`)
	}
	c.Python.PipConfig = path.Join(c.Dir(), name)
	return nil
}

func (c *Config) readWorkspace(f file) error {
	if absent(f.Source) {
		return nil
	}
	var source struct {
		Kind, Package string
		Root          *string
	}
	if json.Unmarshal(f.Source, &source) != nil || source.Kind != "uv" {
		return c.wrong("config_invalid", `"source" is not written as {"kind": "uv", "root": "..", "package": "name"}`)
	}
	if len(c.Python.Dependencies)+len(c.Python.Folders) > 0 {
		return failure.WithHint(c.wrong("config_invalid", `"source" and "dependencies" do not go together`),
			`Leave "dependencies" out: pyproject.toml and uv.lock say what is needed.`)
	}
	root := "."
	if source.Root != nil {
		root = *source.Root
	}
	w := Workspace{Root: path.Join(c.Dir(), root), Package: source.Package}
	if !fs.ValidPath(w.Root) || strings.TrimSpace(root) == "" {
		return failure.WithHint(c.wrong("dependency_outside", `"source" has the root %q, which is not inside the source`, root),
			"Deploy from the root of the workspace, and set langgraph_config_path to the configuration in it.")
	}
	c.Python.Workspace = &w
	return nil
}

func (c *Config) wantDependencies(file) error {
	if p := c.Python; p.Workspace == nil && len(p.Dependencies)+len(p.Folders) == 0 {
		return failure.WithHint(c.wrong("no_dependencies", `"dependencies" is empty`),
			`List the app's own folder and what it needs: "dependencies": [".", "langgraph"].`)
	}
	return nil
}

// imported are the keys whose value names something that the server imports.
var imported = []struct{ section, key string }{
	{"auth", "path"}, {"encryption", "path"}, {"priority", "path"}, {"checkpointer", "path"}, {"store", "path"}, {"http", "app"},
}

func (c *Config) readUses(file) error {
	for _, i := range imported {
		var section map[string]json.RawMessage
		var spec string
		if json.Unmarshal(c.Raw[i.section], &section) != nil || absent(section[i.key]) {
			continue
		}
		place := i.section + "." + i.key
		json.Unmarshal(section[i.key], &spec)
		file, export, _ := strings.Cut(spec, ":")
		if file == "" || export == "" {
			return c.wrong("config_invalid", `%q is %s, which is not written as "./file.py:name"`, place, section[i.key])
		}
		use := Use{Place: place, Export: export}
		if isModule(file) {
			use.Module = file
		} else {
			use.File = path.Join(c.Dir(), file)
		}
		c.Uses = append(c.Uses, use)
	}
	return c.readUI()
}

// readUI takes the files of user interfaces, which are not Python.
func (c *Config) readUI() error {
	var ui map[string]string
	if raw := c.Raw["ui"]; !absent(raw) && json.Unmarshal(raw, &ui) != nil {
		return c.wrong("config_invalid", `"ui" is not an object of names and files`)
	}
	for _, name := range slices.Sorted(maps.Keys(ui)) {
		c.Uses = append(c.Uses, Use{Place: "ui." + name, File: path.Join(c.Dir(), ui[name])})
	}
	return nil
}

// checkPython looks for the folders and files that only apps in Python name.
func (c *Config) checkPython(source *os.Root) error {
	for _, folder := range c.Python.Folders {
		if info, err := source.Stat(folder); err != nil || !info.IsDir() {
			return c.missingFolder(folder, err)
		}
	}
	for _, use := range c.Uses {
		if use.Module != "" {
			continue
		}
		if err := c.checkFile(source, "file", fmt.Sprintf("%q", use.Place), use.File); err != nil {
			return err
		}
	}
	if name := c.Python.PipConfig; name != "" {
		if err := c.checkFile(source, "file", `"pip_config_file"`, name); err != nil {
			return err
		}
	}
	return c.checkWorkspace(source)
}

func (c *Config) missingFolder(folder string, err error) error {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unreadable(folder, err)
	}
	return failure.WithHint(c.wrong("dependency_not_found", `"dependencies" has the folder %s, which is not in the source`, folder),
		"Look at the path, and that the folder was packed.")
}

func (c *Config) checkWorkspace(source *os.Root) error {
	w := c.Python.Workspace
	if w == nil {
		return nil
	}
	for _, name := range []string{"pyproject.toml", "uv.lock"} {
		if info, err := source.Stat(path.Join(w.Root, name)); err != nil || info.IsDir() {
			return failure.WithHint(c.wrong("lock_missing", `"source" is a uv workspace at %s, where there is no %s`, w.Root, name),
				"Run uv lock there, and pack what it writes.")
		}
	}
	return nil
}
