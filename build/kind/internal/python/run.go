package python

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/toolchain"
	"github.com/slipwayhq/slipway/internal/durable"
)

// patience with a silent program before the log says that it is at work.
const patience = 10 * time.Second

// trust in what a program may run. Caches are only for who runs no code of an
// app: none can lay anything in the way of another.
type trust string

const (
	ours trust = "ours" // a package manager, and nothing of what it fetches
	apps trust = "apps" // code of the app, or of a package that has to be built
)

func (t trust) identity() command.Identity {
	if t == ours {
		return command.Fetch
	}
	return command.App
}

// home of a tool, with its caches: that of an app's code is gone afterwards.
func (j *job) home(who trust, tmp string) string {
	if who == ours {
		return filepath.Join(j.cache, "python-tools", string(who))
	}
	return filepath.Join(tmp, "home")
}

// folders that programs may write to.
func (j *job) folders() []string {
	folders := []string{j.scratch}
	for _, folder := range []string{j.app.Dir, j.making} {
		if folder != "" {
			folders = append(folders, folder)
		}
	}
	return folders
}

// write puts a file into the scratch folder and returns its path.
func (j *job) write(name, content string) (string, error) {
	return filepath.Join(j.scratch, name), putIn(j.scratch, name, []byte(content))
}

// putIn writes a file below a folder in which code of an app may have laid links:
// none is followed out of it.
func putIn(dir, name string, content []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return root.WriteFile(name, content, 0o644)
}

// fetch runs a package manager that runs no code but its own.
func (j *job) fetch(ctx context.Context, dir string, args ...string) (*output, error) {
	return j.run(ctx, ours, dir, args)
}

// build runs a package manager that runs code of the app or of packages.
func (j *job) build(ctx context.Context, dir string, args ...string) (*output, error) {
	return j.run(ctx, apps, dir, args)
}

func (j *job) run(ctx context.Context, who trust, dir string, args []string) (*output, error) {
	tmp := filepath.Join(j.scratch, ".tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return nil, err
	}
	defer durable.Discard(tmp)
	env, err := j.toolEnvironment(who, tmp)
	if err != nil {
		return nil, err
	}
	said := new(output)
	var caches []string
	if who == ours {
		caches = []string{j.home(ours, tmp)}
	}
	c := command.Command{
		Args: args, Dir: dir, Env: env, Mark: tmp,
		As: who.identity(), In: j.box, Read: j.tools.PythonFiles(j.python), Write: j.folders(), Cache: caches,
		Line: func(line string) {
			if said.add(line) {
				fmt.Fprintln(j.log, line)
			}
		},
		Patience: patience,
		Silent: func(since time.Duration) {
			fmt.Fprintf(j.log, "Still at work after %.0f s\n", since.Seconds())
		},
	}
	said.exit, err = c.Run(ctx)
	return said, err
}

// toolEnvironment gives a tool a home and caches of ours, so that nothing
// depends on who runs the server, and nothing is left in their home.
func (j *job) toolEnvironment(who trust, tmp string) ([]string, error) {
	home := j.home(who, tmp)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	env := j.environment([]string{
		"HOME=" + home, "TMPDIR=" + tmp, "UV_CACHE_DIR=" + filepath.Join(home, "uv"), "PIP_CACHE_DIR=" + filepath.Join(home, "pip"),
		"UV_PYTHON_DOWNLOADS=never", "UV_NO_PROGRESS=1", "NO_COLOR=1", "UV_LINK_MODE=copy",
		"PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_INPUT=1", "PIP_ROOT_USER_ACTION=ignore", "PIP_PROGRESS_BAR=off", "PIP_RETRIES=2", "UV_HTTP_RETRIES=2",
		"PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0", "SOURCE_DATE_EPOCH=315532800", // the earliest time of a zip file
	})
	if j.app.Config.Python.PipConfig != "" {
		env = append(env, "PIP_CONFIG_FILE="+filepath.Join(j.app.Dir, j.app.Config.Python.PipConfig))
	}
	env = append(env, j.index.Environment()...)
	for _, v := range j.app.Secrets {
		env = append(env, v.Name+"="+v.Value)
	}
	return env, nil
}

func (j *job) environment(more []string) []string {
	return toolchain.Environment(filepath.Dir(j.python.Path), j.scratch, more...)
}
