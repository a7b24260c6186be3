package js

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// confidential are settings of package managers, which may hold credentials.
// They have done their work when all is installed, and a bundle is read by
// everybody who runs on the machine.
var confidential = []string{".npmrc", ".yarnrc", ".yarnrc.yml", "bunfig.toml"}

// fleeting is what package managers note for their next run, which never comes:
// times, places, and what else differs from one run to the next. Places are
// below node_modules, or below the folder that it lies in.
var fleeting = []string{
	"node_modules/.modules.yaml", "node_modules/.pnpm-workspace-state.json", "node_modules/.pnpm-workspace-state-v1.json",
	"node_modules/.yarn-integrity", "node_modules/.yarn-state.yml", "node_modules/.package-map.json", "node_modules/.cache",
	".yarn/install-state.gz", ".yarn/build-state.yml",
}

// tidy takes both from a folder and from all below it, packages excepted.
func tidy(top string, log io.Writer) error {
	var secret []string
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == modulesName:
			return fs.SkipDir
		case entry.IsDir():
			return forget(path)
		}
		for _, name := range confidential {
			if entry.Name() == name {
				below, _ := filepath.Rel(top, path)
				secret = append(secret, below)
				return os.Remove(path)
			}
		}
		return nil
	})
	if len(secret) > 0 {
		fmt.Fprintf(log, "Left out of the bundle, since credentials may be in it: %s\n", strings.Join(secret, ", "))
	}
	return err
}

// forget removes what is fleeting from one folder. A node_modules that is a link
// is another's.
func forget(dir string) error {
	if info, err := os.Lstat(filepath.Join(dir, modulesName)); err == nil && !info.IsDir() {
		return nil
	}
	var errs []error
	for _, name := range fleeting {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
	}
	return errors.Join(errs...)
}
