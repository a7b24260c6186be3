package js

import "path/filepath"

// bun installs; what it installed is run by Node.
var bun = dialect{
	name:      "bun",
	lockFiles: []string{"bun.lock", "bun.lockb"},
	settings:  []string{"bunfig.toml", ".npmrc"},
	format:    anyVersion,
	install: func(o order) [][]string {
		args := []string{"install", "--no-progress", "--ignore-scripts", "--backend=copyfile"}
		if o.locked {
			args = append(args, "--frozen-lockfile")
		}
		if o.production {
			args = append(args, "--omit=dev")
		}
		return [][]string{args}
	},
	variables: func(cache string) []string {
		return []string{"BUN_INSTALL_CACHE_DIR=" + filepath.Join(cache, "cache"), "BUN_RUNTIME_TRANSPILER_CACHE_PATH=0", "DO_NOT_TRACK=1", "NO_COLOR=1"}
	},
	speech: bunSpeech,
}
