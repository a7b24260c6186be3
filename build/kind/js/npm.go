package js

import "path/filepath"

// Scripts of packages are not run: nothing that the server needs has one, and
// they are the usual way in for a bad package. Development dependencies are
// left out, unless the app is still to be built. The same goes for the others.
var npm = dialect{
	name:      "npm",
	lockFiles: []string{"npm-shrinkwrap.json", "package-lock.json"},
	settings:  []string{".npmrc"},
	format:    anyVersion,
	install: func(o order) [][]string {
		args := []string{"install"}
		if o.locked {
			args = []string{"ci", "--prefer-offline"}
		}
		if o.production {
			args = append(args, "--omit=dev")
		}
		if o.member != "" {
			args = append(args, "--workspace="+o.member)
		}
		return [][]string{append(args, "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--no-update-notifier")}
	},
	variables: func(cache string) []string {
		return []string{"npm_config_cache=" + filepath.Join(cache, "cache"), "npm_config_logs_max=0"}
	},
	speech: npmSpeech,
}
