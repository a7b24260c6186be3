package python

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/build/kind/internal/shelf"
	"github.com/slipwayhq/slipway/build/toolchain"
	"github.com/slipwayhq/slipway/internal/durable"
)

// Format changes when the same app is to be installed differently.
const Format = "1"

// stepInstall is the step of every failure of an installation.
const stepInstall = "install"

// Keys of what a build records.
const (
	RuntimePython = "python" // version of Python
	RuntimeServer = "server" // version of the agent server's package
	RuntimeLock   = "lock"   // digest of all packages that were installed, with their digests
)

// Server is an agent server, which is ours to bring.
type Server struct {
	Name     string   // for people
	Packages []string // what it is, the first for its version
	Requires string   // pins of those
	Lock     string   // these and all that they need, with digests
	Least    int      // minor version of Python that it needs
}

// Maker of environments, for one kind of agent.
type Maker struct {
	server Server
	known  lock
	cache  string
	tmp    string
	tools  *toolchain.Toolchains
	shelf  *shelf.Shelf

	confinement *command.Confinement
	fingerprint func() string
}

// New keeps what is shared below the folder cache and makes it below tmp, on the
// same file system.
func New(server Server, cache, tmp string, tools *toolchain.Toolchains, confinement *command.Confinement) *Maker {
	known := parseLock(server.Lock)
	return &Maker{
		server: server, known: known, cache: cache, tmp: tmp, tools: tools, shelf: shelf.New(tmp), confinement: confinement,
		// each deploy asks for it, and the lock is long
		fingerprint: sync.OnceValue(func() string { return Format + " " + known.digest()[:16] }),
	}
}

// Fingerprint changes when the same app would be given another environment.
func (m *Maker) Fingerprint() string { return m.fingerprint() }

// ownFolder of an app is ours.
const ownFolder = ".slipway"

// job is one app on its way to have an environment.
type job struct {
	*Maker
	app     kind.App
	log     io.Writer
	scratch string
	box     *command.Sandbox
	making  string // folder of packages that are being installed, "" if none are
	python  toolchain.Python
	index   toolchain.Index
	with    installer
}

// Prepare gives an app its environment, and returns what it was made with.
func (m *Maker) Prepare(ctx context.Context, app kind.App, log io.Writer) (map[string]string, error) {
	j := &job{Maker: m, app: app, log: log, scratch: app.Scratch, box: app.Sandbox}
	j.warn()
	if err := j.choosePython(ctx); err != nil {
		return nil, err
	}
	s, err := j.survey(ctx)
	if err != nil {
		return nil, err
	}
	if err := j.chooseInstaller(ctx); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(filepath.Join(app.Dir, ownFolder)); err != nil {
		return nil, err
	}
	l, err := j.resolve(ctx, s)
	if err != nil {
		return nil, err
	}
	environment, err := m.packages(ctx, j, l)
	if err != nil {
		return nil, err
	}
	if err := j.installOwn(ctx, s, l); err != nil {
		return nil, err
	}
	tool, version := j.with.tool()
	return map[string]string{
		RuntimePython: j.python.Version, RuntimeLock: l.digest(), kind.RuntimeDependencies: environment,
		RuntimeServer: m.server.Packages[0] + " " + l.version(m.server.Packages[0]), tool: version,
	}, nil
}

// warn says what counts for images only, or not at all.
func (j *job) warn() {
	for _, key := range []string{"dockerfile_lines", "base_image", "image_distro"} {
		if raw := string(j.app.Config.Raw[key]); raw != "" && raw != "null" && raw != "[]" && raw != `""` {
			fmt.Fprintf(j.log, "Warning: %s counts for images only, and this app is run as a process\n", key)
		}
	}
	for name, text := range map[string]string{"install_command": j.app.InstallCommand, "build_command": j.app.BuildCommand} {
		if text != "" {
			fmt.Fprintf(j.log, "Warning: %s is for apps in JavaScript, and is not run\n", name)
		}
	}
}

// choosePython settles where packages come from, too.
func (j *job) choosePython(ctx context.Context) (err error) {
	python := j.app.Config.Python
	if j.python, err = j.tools.Python(ctx, python.Minor, max(j.server.Least, appconfig.MinPython), j.log); err != nil {
		return err
	}
	file := python.PipConfig
	if file != "" {
		file = filepath.Join(j.app.Dir, file)
	}
	j.index, err = toolchain.Indexes(file)
	return err
}

// chooseInstaller takes uv if it can be had, unless the app wants pip.
func (j *job) chooseInstaller(ctx context.Context) error {
	if j.app.Config.Python.Installer != appconfig.Pip {
		found, err := j.tools.UV(ctx, j.log)
		if err == nil {
			j.with = uv{j, found}
			return nil
		}
		if ctx.Err() != nil || j.app.Config.Python.Installer == appconfig.UV || j.app.Config.Python.Workspace != nil {
			return err
		}
		fmt.Fprintf(j.log, "uv can not be had, going on with pip: %v\n", err)
	}
	found, err := j.tools.Pip(ctx, j.log)
	j.with = pip{j, found}
	return err
}

// resolve settles which packages the app and its server come to. What was
// settled for the same inputs stays settled.
func (j *job) resolve(ctx context.Context, s surveyed) (lock, error) {
	r := j.requirements(s)
	memo := filepath.Join(j.cache, "python-locks", j.inputs(s, r))
	if content, err := os.ReadFile(memo); err == nil {
		fmt.Fprintln(j.log, "What the app depends on is unchanged: its versions stay as they were settled")
		return parseLock(string(content)), nil
	}
	fmt.Fprintf(j.log, "Resolving the dependencies of the app and of %s\n", j.server.Name)
	l, err := j.with.resolve(ctx, s, r)
	if err != nil {
		return lock{}, err
	}
	l = l.trust(j.known)
	if l.local, err = j.unlisted(s, l.local); err != nil {
		return lock{}, err
	}
	return l, j.remember(memo, l)
}

// unlisted are the app's own folders that only a package names.
func (j *job) unlisted(s surveyed, places []string) ([]string, error) {
	var others []string
	for _, place := range places {
		if !filepath.IsAbs(place) {
			place = filepath.Join(j.app.Dir, j.app.Config.Dir(), place)
		}
		name, err := filepath.Rel(j.app.Dir, place)
		if err != nil || !filepath.IsLocal(name) {
			return nil, fail("dependency_outside", "A dependency lies in %s, which is not inside the source.", place)
		}
		if !slices.ContainsFunc(s.Folders, func(f folder) bool { return f.Folder == name }) {
			others = append(others, name)
		}
	}
	return others, nil
}

// remember writes a lock down whole or not at all; one that names folders which
// the inputs do not know is settled anew each time.
func (j *job) remember(memo string, l lock) error {
	if len(l.local) > 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(memo), 0o755); err != nil {
		return err
	}
	written, err := os.CreateTemp(j.tmp, "lock-")
	if err != nil {
		return err
	}
	defer os.Remove(written.Name())
	_, err = written.WriteString(l.String())
	if err = errors.Join(err, written.Sync(), written.Close()); err != nil {
		return err
	}
	return os.Rename(written.Name(), memo)
}

// requirements is what the app asks for, and the server unless the app asks for
// one of its own.
type requirements struct {
	lines []string // as in a requirements.txt
	files []string // of the app, in that form
	edits []string // folders of the app that are packages
	built bool     // it takes code of the app to know what it requires
}

func (j *job) requirements(s surveyed) requirements {
	r := requirements{lines: slices.Clone(j.app.Config.Python.Dependencies)}
	for _, f := range s.Folders {
		switch {
		case f.Kind == projectFolder && s.Package == "":
			r.edits = append(r.edits, f.Folder)
			r.built = r.built || f.Dynamic
		case f.Requirements != "":
			r.files = append(r.files, f.Requirements)
		}
	}
	if own := j.ownServer(s); own != "" {
		fmt.Fprintf(j.log, "The app lists %s itself: it has its say in the version\n", own)
		r.lines = append(r.lines, j.server.Packages...)
	} else {
		r.lines = append(r.lines, strings.Fields(j.server.Requires)...)
	}
	return r
}

// ownServer is the server's package that the app lists, "" if it does not.
func (j *job) ownServer(s surveyed) string {
	for _, name := range j.server.Packages {
		if slices.Contains(s.Listed, name) {
			return name
		}
	}
	return ""
}

// inputs is a digest of all that may change what the dependencies come to.
func (j *job) inputs(s surveyed, r requirements) string {
	sum := sha256.New()
	tool, version := j.with.tool()
	part := func(text string) { fmt.Fprintf(sum, "%d %s\n", len(text), text) }
	for _, text := range slices.Concat(
		[]string{Format, j.known.digest(), fmt.Sprint(j.python.Minor()), tool, version, j.app.Config.Dir()},
		r.lines, j.index.Environment(),
	) {
		part(text)
	}
	for _, f := range s.Folders {
		part(string(f.Kind) + " " + f.Folder + " " + f.Inputs)
	}
	for _, v := range j.app.Secrets {
		part(v.Name + "=" + v.Value)
	}
	part(s.Package + " " + s.Inputs)
	return hex.EncodeToString(sum.Sum(nil))
}

// packages puts the folder of a lock in place unless it is there, and returns
// its name.
func (m *Maker) packages(ctx context.Context, j *job, l lock) (string, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s 3.%d %s", Format, j.python.Minor(), l.digest()))
	name := "python-" + hex.EncodeToString(sum[:])
	dir := m.packagesDir(name)
	if shelf.Has(dir) {
		fmt.Fprintf(j.log, "The dependencies are unchanged: using those installed before (%x)\n", sum[:6])
		return name, kind.Touch(dir)
	}
	return name, m.shelf.Put(ctx, dir, "the same dependencies are being installed by another build", j.log, func(work string) error {
		fmt.Fprintf(j.log, "Installing %d packages\n", len(l.pinned)+len(l.direct))
		j.making = work
		defer func() { j.making = "" }()
		site := filepath.Join(work, "site")
		if err := j.with.install(ctx, l, site); err != nil {
			return err
		}
		if err := tidy(site); err != nil {
			return err
		}
		if err := j.compile(ctx, work, dir, site); err != nil {
			return err
		}
		return putIn(work, "requirements.txt", []byte(l.String()))
	})
}

func (m *Maker) packagesDir(name string) string {
	return filepath.Join(m.cache, kind.Dependencies, name)
}

// again makes the packages of a bundle anew that are gone.
func (m *Maker) again(ctx context.Context, b kind.Bundle, python toolchain.Python) error {
	content, err := os.ReadFile(filepath.Join(b.Dir, ownFolder, "requirements.txt"))
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(m.tmp, "again-")
	if err != nil {
		return err
	}
	defer durable.Discard(scratch)
	j := &job{Maker: m, log: io.Discard, scratch: scratch, box: m.confinement.Sandbox(command.Scope{Mark: scratch}), python: python}
	if j.index, err = toolchain.Indexes(""); err != nil {
		return err
	}
	if err := j.chooseInstaller(ctx); err != nil {
		return err
	}
	_, err = m.packages(ctx, j, parseLock(string(content)))
	return err
}

func fail(code, format string, args ...any) error {
	return failure.New(stepInstall, code, format, args...)
}
