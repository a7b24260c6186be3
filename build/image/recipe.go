package image

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
)

// format is raised when images are made differently from the same.
const format = "2"

// Places in an image.
const (
	appDir    = "/deps/app" // the source, as it was packed
	oursDir   = "/deps/slipway"
	serverDir = "/opt/slipway"
	stateDir  = "/var/lib/slipway"
	ownDir    = "/run/slipway" // what is each container's own
	// port that every agent in an image listens on, unless PORT says another.
	port = "8000"
)

// Places in a context.
const (
	contextApp    = "app"
	contextOurs   = "slipway/app"
	contextServer = "slipway/server"
	contextFirst  = "slipway/first" // what dependencies are installed from, before the rest of the source
)

// app is a source of which an image is made.
type app struct {
	config  appconfig.Config
	files   fs.FS // the source
	server  slipway.AgentServer
	base    base
	install string // commands in place of the usual ones, "" for those
	build   string
	secrets []string // names of the build's secrets
	// mounts says whether the engine can give secrets to commands.
	mounts bool
	// owner is whose image it is, in a label.
	owner string
}

// recipe is what an engine is given, beside the source.
type recipe struct {
	dockerfile string
	steps      []step
	ours       map[string][]byte // further files of the context
	hidden     map[string]string // files of the source that are given as secrets: path → id
}

// step is one instruction that may fail, by the name that failures give it.
type step struct{ name, instruction string }

// Names of steps.
const (
	stepBase    = "base"
	stepLines   = "dockerfile_lines"
	stepServer  = "server"
	stepInstall = "install"
	stepBuild   = "build"
	stepFinish  = "finish"
)

// plan writes the recipe of an app.
func plan(a app) (*recipe, error) {
	w := &writer{app: a, recipe: &recipe{ours: map[string][]byte{}, hidden: map[string]string{}}}
	if err := w.hideSecrets(); err != nil {
		return nil, err
	}
	if err := w.checkSecrets(); err != nil {
		return nil, err
	}
	lines, err := a.lines()
	if err != nil {
		return nil, err
	}
	w.add(stepBase, "FROM "+a.base.from)
	w.add(stepBase, "LABEL "+labelOwner+"="+a.owner)
	for _, line := range lines {
		w.add(stepLines, line)
	}
	write := w.node
	if a.config.Language == appconfig.Python {
		write = w.python
	}
	if err := write(); err != nil {
		return nil, err
	}
	w.dockerfile = w.text.String()
	return w.recipe, nil
}

// writer writes one Dockerfile.
type writer struct {
	app
	*recipe
	text strings.Builder
}

func (w *writer) add(name, instruction string) {
	w.text.WriteString(instruction + "\n")
	w.steps = append(w.steps, step{name, instruction})
}

// run adds a command of ours, a line of shell.
func (w *writer) run(name, command string) { w.add(name, "RUN "+command) }

// runWithSecrets adds a command that sees the build's secrets, as variables and
// as the files that were left out of the source. It is a line of shell.
func (w *writer) runWithSecrets(name, command string) {
	mounts, exports := "", ""
	for _, secret := range w.secrets {
		mounts += "--mount=type=secret,id=" + secret + " "
		exports += fmt.Sprintf(`export %s="$(cat /run/secrets/%[1]s)" && `, secret)
	}
	for _, file := range sorted(w.hidden) {
		mounts += fmt.Sprintf("--mount=type=secret,id=%s,target=%s ", w.hidden[file], path.Join(appDir, file))
	}
	w.add(name, "RUN "+mounts+exports+command)
}

// runGiven adds a command of the app's owner. Its characters were checked when
// it was taken; so it can not end the line, nor be taken for options of RUN.
func (w *writer) runGiven(name, command string) { w.runWithSecrets(name, "true && "+command) }

// copy adds files of the context.
func (w *writer) copy(name, from, to string) { w.add(name, "COPY "+from+"/ "+to+"/") }

// workdir is validated before.
func (w *writer) workdir(dir string) { w.add(stepFinish, "WORKDIR "+path.Join(appDir, dir)) }

// start has an image start our server by a command, where its base brings none,
// and says by which it is asked (labelControl).
func (w *writer) start(command, asked string, more ...string) {
	w.run(stepFinish, "mkdir -p "+stateDir+" "+ownDir)
	for _, variable := range append(more,
		"HOST=0.0.0.0", "PORT="+port, "SLIPWAY_STATE_DIR="+stateDir, "SLIPWAY_CONTROL="+ownDir+"/control.sock",
		appVariable+"="+appDir, "SLIPWAY_CONFIG="+w.config.Path,
	) {
		w.add(stepFinish, "ENV "+variable)
	}
	w.add(stepFinish, "LABEL "+labelControl+"='["+asked+"]'")
	w.add(stepFinish, "EXPOSE "+port)
	w.add(stepFinish, "CMD ["+command+"]")
}
