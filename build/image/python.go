package image

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/build/kind/aegra"
	"github.com/slipwayhq/slipway/build/kind/langgraphpy"
)

// python writes what follows the base and its lines: requirements before the
// source, so that they are installed again only when they change.
func (w *writer) python() error {
	if err := w.checkPython(); err != nil {
		return err
	}
	if !w.base.serves {
		w.bringPython()
	}
	w.requirements()
	w.importable()
	// What comes after the source runs again with each of its changes.
	if w.installsSource() {
		w.copy(stepInstall, contextApp, appDir)
		w.packages()
	}
	w.restoreServer()
	if err := w.removeTools(); err != nil {
		return err
	}
	if !w.installsSource() {
		w.copy(stepInstall, contextApp, appDir)
	}
	w.interfaces()
	if err := w.environment(); err != nil {
		return err
	}
	w.workdir(w.config.Dir())
	if !w.base.serves {
		w.start(`"python3", "-s", "-P", "`+serverDir+`/serve.py"`, `"python3", "-I", "-S", "`+serverDir+`/slipway_serve/ask.py"`, "PYTHONUNBUFFERED=1")
	}
	return nil
}

// checkPython looks at every name that is going to be written.
func (w *writer) checkPython() error {
	type name struct{ what, is string }
	names := []name{{"The configuration's place", w.config.Path}}
	for _, folder := range w.config.Python.Folders {
		names = append(names, name{"A folder of dependencies", folder})
	}
	if p := w.config.Python.PipConfig; p != "" {
		names = append(names, name{"pip_config_file", p})
	}
	if ws := w.config.Python.Workspace; ws != nil {
		names = append(names, name{"source.root", ws.Root}, name{"source.package", cmp.Or(ws.Package, "none")})
	}
	for _, n := range names {
		if err := checkName(n.what, n.is); err != nil {
			return err
		}
	}
	if w.server == slipway.AgentServerAegra && w.base.serves {
		return failure.WithHint(
			failure.New("config", "base_brings_server", "The base image %s brings LangGraph's own server; aegra can not run in it.", w.base.reference),
			"Start the server with --base-image-python python:3.12-slim or another plain image, or leave source_config.agent_server out.")
	}
	return nil
}

// bringPython installs the server, from our lock, and the program that starts it.
func (w *writer) bringPython() {
	for name, content := range pythonServer(w.server) {
		w.ours[contextServer+"/"+name] = content
	}
	w.copy(stepServer, contextServer, serverDir)
	if w.uv() {
		w.run(stepServer, pip+" --no-cache-dir uv=="+uvVersion)
	}
	w.run(stepServer, w.installer()+" --no-cache-dir -r "+serverDir+"/requirements.txt")
}

func pythonServer(server slipway.AgentServer) map[string][]byte {
	if server == slipway.AgentServerAegra {
		return aegra.ServerFiles()
	}
	return langgraphpy.ServerFiles()
}

// uvVersion is the one that is brought to a base; the vendor's have their own.
const uvVersion = "0.13.9"

// uv says whether uv installs: always, unless the app wants pip.
func (w *writer) uv() bool {
	return w.config.Python.Workspace != nil || w.config.Python.Installer != appconfig.Pip
}

const pip = "python3 -m pip install --progress-bar=off --root-user-action=ignore"

func (w *writer) installer() string {
	if w.uv() {
		return "uv pip install --system"
	}
	return pip
}

// pipInstall is the command that installs what follows it.
func (w *writer) pipInstall() string {
	constraints := "/api/constraints.txt"
	if !w.base.serves {
		constraints = serverDir + "/requirements.in"
	}
	command := "PYTHONDONTWRITEBYTECODE=1 " + w.installer() + " --no-cache-dir -c " + constraints
	if p := w.config.Python.PipConfig; p != "" {
		command = "PIP_CONFIG_FILE=" + path.Join(appDir, p) + " " + command
	}
	return command
}

// requirements installs those of langgraph.json and of folders that are no
// packages. They are read from files: whatever they say, it is no instruction.
func (w *writer) requirements() {
	p := w.config.Python
	if len(p.Dependencies) > 0 {
		w.ours[contextOurs+"/requirements.txt"] = []byte(strings.Join(p.Dependencies, "\n") + "\n")
	}
	args := ""
	if len(p.Dependencies) > 0 {
		args += " -r " + oursDir + "/requirements.txt"
	}
	for i, folder := range p.Folders {
		file := path.Join(folder, "requirements.txt")
		content, err := fs.ReadFile(w.files, file)
		if err != nil || w.isPackage(folder) || namesFiles.Match(content) {
			continue
		}
		name := strconv.Itoa(i) + ".txt"
		w.ours[contextOurs+"/folders/"+name] = content
		args += " -r " + oursDir + "/folders/" + name
	}
	if args == "" {
		return
	}
	w.copy(stepInstall, contextOurs, oursDir)
	if p.PipConfig != "" && w.hidden[p.PipConfig] == "" {
		w.add(stepInstall, "COPY "+path.Join(contextApp, p.PipConfig)+" "+path.Join(appDir, p.PipConfig))
	}
	w.runWithSecrets(stepInstall, w.pipInstall()+args)
}

// namesFiles finds requirements that are of use only within the source.
var namesFiles = regexp.MustCompile(`(?m)^\s*(-[rce]\b|--(requirement|constraint|editable|find-links)\b|\.|/)|@\s*(file:|\.)|file:`)

// isPackage says whether a folder can be installed as it is.
func (w *writer) isPackage(folder string) bool {
	for _, name := range []string{"pyproject.toml", "setup.py"} {
		if _, err := fs.Stat(w.files, path.Join(folder, name)); err == nil {
			return true
		}
	}
	return false
}

// installsSource says whether the source brings dependencies that are known only
// once it is there.
func (w *writer) installsSource() bool {
	return w.config.Python.Workspace != nil || slices.ContainsFunc(w.config.Python.Folders, func(folder string) bool {
		content, _ := fs.ReadFile(w.files, path.Join(folder, "requirements.txt"))
		return w.isPackage(folder) || namesFiles.Match(content)
	})
}

// importable puts folders that are no packages where Python imports from. One
// that is a package itself, for importing, is found in the folder above.
func (w *writer) importable() {
	var paths []string
	for _, folder := range w.config.Python.Folders {
		if w.isPackage(folder) {
			continue
		}
		if _, err := fs.Stat(w.files, path.Join(folder, "__init__.py")); err == nil {
			folder = path.Dir(folder)
		}
		if place := path.Join(appDir, folder); !slices.Contains(paths, place) {
			paths = append(paths, place)
		}
	}
	switch {
	case len(paths) == 0:
	case !w.base.serves: // our program puts them there
		w.add(stepFinish, "ENV SLIPWAY_SITE="+strings.Join(paths, ":"))
	default:
		w.run(stepInstall, "printf '%s\\n' "+strings.Join(paths, " ")+` > "$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/slipway_app.pth"`)
	}
}

// packages installs what only the source says: requirements that name other files
// of it, and packages where they lie, at once, since one may want another.
func (w *writer) packages() {
	if ws := w.config.Python.Workspace; ws != nil {
		w.workspace(ws)
		return
	}
	editable := ""
	for _, folder := range w.config.Python.Folders {
		dir := path.Join(appDir, folder)
		content, _ := fs.ReadFile(w.files, path.Join(folder, "requirements.txt"))
		switch {
		case w.isPackage(folder):
			editable += " -e " + dir
		case namesFiles.Match(content):
			w.runWithSecrets(stepInstall, "cd "+dir+" && "+w.pipInstall()+" -r requirements.txt")
		}
	}
	if editable != "" {
		w.runWithSecrets(stepInstall, w.pipInstall()+editable)
	}
}

// workspace installs what uv.lock says, and the members where they lie.
func (w *writer) workspace(ws *appconfig.Workspace) {
	const list = ".slipway-requirements.txt" // beside the members, which it names from there
	export := "uv export --frozen --no-dev --no-hashes --quiet --output-file " + list
	if ws.Package != "" {
		export += " --package " + ws.Package
	}
	w.runWithSecrets(stepInstall, "cd "+path.Join(appDir, ws.Root)+" && "+export+" && "+w.pipInstall()+" -r "+list+" && rm "+list)
}

// restoreServer puts the server of a base right, in case the app's dependencies
// overwrote a part of it.
func (w *writer) restoreServer() {
	if !w.base.serves {
		return
	}
	w.run(stepFinish, "mkdir -p /api/langgraph_api /api/langgraph_runtime /api/langgraph_license && "+
		"touch /api/langgraph_api/__init__.py /api/langgraph_runtime/__init__.py /api/langgraph_license/__init__.py")
	w.runWithSecrets(stepFinish, "PYTHONDONTWRITEBYTECODE=1 "+w.installer()+" --no-cache-dir --no-deps -e /api")
}

// interfaces builds those that the app has for people, by the base's own tools.
func (w *writer) interfaces() {
	if !w.base.serves || !w.has("ui") && !w.has("node_version") {
		return
	}
	w.run(stepBuild, "/storage/install-node.sh")
	w.workdir(w.config.Dir())
	w.runWithSecrets(stepInstall, managerOf(w.files, w.config.Dir()).install()+" && tsx /api/langgraph_api/js/build.mts")
}

// removeTools uninstalls what only installing needs from the vendor's bases, as
// their owner does, unless the app keeps it.
func (w *writer) removeTools() error {
	tools := []string{"pip", "setuptools", "wheel"}
	var all bool
	var kept []string
	if raw := w.config.Raw["keep_pkg_tools"]; w.has("keep_pkg_tools") && json.Unmarshal(raw, &all) != nil && json.Unmarshal(raw, &kept) != nil {
		return failure.New("config", "config_invalid", `%s: "keep_pkg_tools" is neither true nor false nor a list.`, w.config.Path)
	}
	for _, tool := range kept {
		if !slices.Contains(tools, tool) {
			return failure.New("config", "config_invalid", `%s: "keep_pkg_tools" has %q; there are %s.`, w.config.Path, tool, strings.Join(tools, ", "))
		}
	}
	if !w.base.serves {
		return nil // what is there may be what the server needs
	}
	tools = slices.DeleteFunc(tools, func(tool string) bool { return all || slices.Contains(kept, tool) })
	if len(tools) > 0 {
		w.run(stepFinish, "python3 -m pip uninstall --yes --quiet --root-user-action=ignore "+strings.Join(tools, " "))
	}
	return nil
}

func (w *writer) has(key string) bool {
	raw := w.config.Raw[key]
	return len(raw) > 0 && string(raw) != "null"
}
