package toolchain

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/slipwayhq/slipway/build/archive"
	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/internal/failure"
)

// Manager is a package manager that has been run, and the Node that it works
// for.
type Manager struct {
	Name    string // npm, yarn, pnpm or bun
	Version string
	Node    Node
	program string // a script for Node, or a program
	bin     string // folder with its commands
}

// Args to run it with.
func (m Manager) Args(args ...string) []string {
	if m.native() {
		return append([]string{m.program}, args...)
	}
	return append([]string{m.Node.Path, m.program}, args...)
}

func (m Manager) native() bool { return !strings.HasSuffix(filepath.Ext(m.program), "js") }

// Major version.
func (m Manager) Major() int { return Node{Version: m.Version}.Major() }

// Path has the folders of node and of the manager.
func (m Manager) Path() string {
	bin := filepath.Dir(m.Node.Path)
	if m.bin != bin {
		bin += ":" + m.bin
	}
	return bin
}

// Wanted is a package manager that an app asks for.
type Wanted struct {
	Name    string // yarn, pnpm or bun
	Version string // an exact one, a range, or "" for any
}

func (w Wanted) String() string { return strings.TrimSuffix(w.Name+"@"+w.Version, "@") }

// Known says whether there is such a manager at all.
func Known(name string) bool { return len(managerPins[name]) > 0 }

// Manager brings a package manager. An exact version that is not written down
// here is one that the app answers for: it comes with the digest that the
// registry gives for it. What can not be had is replaced by or, the one that
// reads the app's lock file.
func (t *Toolchains) Manager(ctx context.Context, node Node, w, or Wanted, log io.Writer) (Manager, error) {
	return t.remembered(fmt.Sprint(w, " or ", or, " ", node.Path), func() (Manager, error) {
		m, err := t.wanted(ctx, node, w, log)
		if err == nil || ctx.Err() != nil || w == or || !replaceable(err) {
			return m, err
		}
		fmt.Fprintf(log, "Warning: %s can not be used: %v\n", w, err)
		return t.wanted(ctx, node, or, log)
	})
}

// replaceable says whether it is this version that can not be had.
func replaceable(err error) bool {
	return errors.Is(err, errNoVersion) || errors.Is(err, errDoesNotRun)
}

var (
	errNoVersion  = errors.New("the npm registry has no such version")
	errDoesNotRun = errors.New("it does not run on this machine, or not with this Node")
)

func (t *Toolchains) wanted(ctx context.Context, node Node, w Wanted, log io.Writer) (Manager, error) {
	p, err := choose(ctx, w)
	if err != nil {
		return Manager{}, err
	}
	home := filepath.Join(t.dir, w.Name+"-"+p.version)
	if err := t.bring(ctx, p, home, log, layManager); err != nil {
		return Manager{}, err
	}
	bin := filepath.Join(home, "bin")
	program, err := filepath.EvalSymlinks(filepath.Join(bin, w.Name))
	if err != nil {
		return Manager{}, errDoesNotRun
	}
	m, runs := t.runs(ctx, Manager{Name: w.Name, Node: node, program: program, bin: bin})
	if !runs {
		return m, cmp.Or(ctx.Err(), errDoesNotRun)
	}
	fmt.Fprintf(log, "Using %s %s\n", m.Name, m.Version)
	return m, nil
}

// choose finds the package of a manager that is wanted.
func choose(ctx context.Context, w Wanted) (pin, error) {
	if p, ok := managerFor(w); ok {
		return p, nil
	}
	if _, err := semver.StrictNewVersion(w.Version); err != nil {
		return pin{}, errNoVersion // a range: which one it means changes by the day
	}
	p := pin{name: packageOf(w), version: w.Version}
	var err error
	p.sha512, err = p.registered(ctx)
	return p, err
}

// packageOf is where a version of a manager lies in the npm registry.
func packageOf(w Wanted) string {
	major := Node{Version: w.Version}.Major()
	switch {
	case w.Name == "bun":
		return bunPins[runtime.GOARCH].name
	case w.Name == "yarn" && major >= 2:
		return "@yarnpkg/cli-dist"
	case w.Name == "pnpm" && major >= 12: // a program of its own
		return "@pnpm/exe.linux-" + strings.Replace(runtime.GOARCH, "amd64", "x64", 1)
	}
	return w.Name
}

// registered is the digest that the registry gives for a version.
func (p pin) registered(ctx context.Context) (string, error) {
	answer, err := get(ctx, Registry()+"/"+strings.Replace(p.name, "/", url.PathEscape("/"), 1)+"/"+p.version, "")
	if err != nil {
		return "", p.unreachable(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusMethodNotAllowed {
		return "", errNoVersion
	}
	var about struct{ Dist struct{ Integrity string } }
	if answer.StatusCode != http.StatusOK {
		return "", p.unreachable(ctx, errors.New(answer.Status))
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&about); err != nil {
		return "", p.unreachable(ctx, err)
	}
	digest, ok := strings.CutPrefix(about.Dist.Integrity, "sha512-")
	if !ok {
		return "", failure.New(Step, "integrity_mismatch", "The npm registry gives no SHA-512 for %s %s.", p.name, p.version)
	}
	return digest, nil
}

// remembered asks once for what is there, for as long as it is there.
func (t *Toolchains) remembered(key string, find func() (Manager, error)) (Manager, error) {
	t.mu.Lock()
	m, known := t.managers[key]
	t.mu.Unlock()
	if _, err := os.Stat(m.program); known && err == nil {
		return m, nil
	}
	m, err := find()
	if err != nil {
		return Manager{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.managers[key] = m
	return m, nil
}

// runs asks a manager for its version.
func (t *Toolchains) runs(ctx context.Context, m Manager) (Manager, bool) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	var said []string
	c := command.Command{
		Args: m.Args("--version"),
		Dir:  "/", Env: Environment(m.Path(), t.tmp, alone...), As: command.Server,
		Line: func(line string) { said = append(said, line) },
	}
	code, err := c.Run(ctx)
	if code != 0 || err != nil || len(said) == 0 {
		return m, false
	}
	m.Version = strings.TrimSpace(said[len(said)-1])
	_, err = semver.StrictNewVersion(m.Version)
	return m, err == nil
}

// alone keeps managers from running another version of themselves, which they
// would have to fetch.
var alone = []string{
	"YARN_IGNORE_PATH=1", "SKIP_YARN_COREPACK_CHECK=1", "YARN_ENABLE_TELEMETRY=0", "DO_NOT_TRACK=1", "NO_UPDATE_NOTIFIER=1",
}

// Places in the folder of a manager.
const (
	packageDir   = "package"
	manifestName = "package.json"
)

// layManager unpacks a manager and lays its commands out for a PATH.
func layManager(tarball *os.File, made string) error {
	home, bin := filepath.Join(made, packageDir), filepath.Join(made, "bin")
	if err := errors.Join(os.Mkdir(home, 0o755), os.Mkdir(bin, 0o755)); err != nil {
		return err
	}
	if _, err := archive.Unpack(tarball, home, archive.Options{Strip: 1}); err != nil {
		return err
	}
	commands, err := commandsOf(home)
	if err != nil {
		return err
	}
	var errs []error
	for name, path := range commands {
		errs = append(errs,
			os.Chmod(filepath.Join(home, path), 0o755),
			os.Symlink(filepath.Join("..", packageDir, path), filepath.Join(bin, name)))
	}
	return errors.Join(errs...)
}

// commandsOf a package, by name; packages that are one program say nothing.
func commandsOf(home string) (map[string]string, error) {
	var manifest struct{ Bin json.RawMessage }
	content, err := os.ReadFile(filepath.Join(home, manifestName))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(content, &manifest); err != nil {
		return nil, err
	}
	commands := map[string]string{}
	if json.Unmarshal(manifest.Bin, &commands) == nil && len(commands) > 0 {
		return commands, nil
	}
	for _, program := range programs {
		if _, err := os.Stat(filepath.Join(home, program)); err == nil {
			return map[string]string{filepath.Base(program): program}, nil
		}
	}
	return nil, errDoesNotRun
}

// programs of packages that hold nothing else.
var programs = []string{"bin/bun", "pnpm"}
