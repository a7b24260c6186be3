package js

import (
	"fmt"
	"path/filepath"

	"github.com/slipwayhq/slipway/build/toolchain"
)

const yarnCache = "cache" // the folder of packages within what yarn keeps

// yarn is two programs of one name: up to version 1, and from 2.
var yarn = dialect{
	name:      "yarn",
	lockFiles: []string{"yarn.lock"},
	settings:  []string{".yarnrc.yml", ".yarnrc", ".npmrc"},
	format: func(lock []byte) (string, bool) {
		switch n := formatOf(lock, yarnFormat); {
		case n < 0:
			return "1.x", true
		case n <= 6:
			return "3.x", n == 6
		case n <= 8:
			return ">=4.0.0 <4.10.0", n == 8
		default:
			return ">=4.10.0", n == 10
		}
	},
	install: func(o order) [][]string {
		if o.version < 2 {
			return classic(o)
		}
		return modern(o)
	},
	variables: func(cache string) []string {
		return []string{
			"YARN_CACHE_FOLDER=" + filepath.Join(cache, yarnCache), "YARN_GLOBAL_FOLDER=" + filepath.Join(cache, "global"),
			"YARN_NODE_LINKER=node-modules", "YARN_ENABLE_GLOBAL_CACHE=true", "YARN_ENABLE_SCRIPTS=false",
			"YARN_ENABLE_IMMUTABLE_INSTALLS=false", "YARN_ENABLE_PROGRESS_BARS=false", "YARN_ENABLE_TELEMETRY=0",
			"YARN_ENABLE_COLORS=false", "YARN_ENABLE_HYPERLINKS=false",
			"YARN_IGNORE_PATH=1", "SKIP_YARN_COREPACK_CHECK=1",
		}
	},
	home: func(string) map[string]string {
		return map[string]string{
			".yarnrc":     fmt.Sprintf("registry %q\n", toolchain.Registry()),
			".yarnrc.yml": fmt.Sprintf("npmRegistryServer: %q\n", toolchain.Registry()),
		}
	},
	speech: yarnSpeech,
}

func classic(o order) [][]string {
	args := []string{"install", "--non-interactive", "--no-progress", "--ignore-scripts", "--prefer-offline"}
	if o.locked {
		args = append(args, "--frozen-lockfile")
	}
	if o.production {
		args = append(args, "--production")
	}
	return [][]string{args}
}

// modern holds to the lock file first and takes away afterwards what is not
// needed: it can not do both at once. Version 3 can not do the second.
func modern(o order) [][]string {
	install := []string{"install"}
	if o.locked {
		install = append(install, "--immutable")
	}
	runs := [][]string{install}
	if o.version < 4 || !o.production && o.member == "" {
		return runs
	}
	focus := []string{"workspaces", "focus"}
	if o.member != "" && o.name != "" {
		focus = append(focus, o.name)
	}
	if o.production {
		focus = append(focus, "--production")
	}
	return append(runs, focus)
}
