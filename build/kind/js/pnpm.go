package js

import (
	"os"
	"path/filepath"
)

// pnpm lays packages into a store of its own beside those that link to them.
// They are copied from its cache, not linked: what an app is built with can not
// reach others by way of it.
var pnpm = dialect{
	name:      "pnpm",
	lockFiles: []string{"pnpm-lock.yaml"},
	settings:  []string{".npmrc", pnpmWorkspace},
	format: func(lock []byte) (string, bool) {
		switch n := formatOf(lock, pnpmFormat); {
		case n >= 0 && n < 9:
			return "8.x", true
		default:
			return "10.x", true
		}
	},
	install: func(o order) [][]string {
		args := []string{"install", "--no-frozen-lockfile"}
		if o.locked {
			args = []string{"install", "--frozen-lockfile"}
		}
		if o.production {
			args = append(args, "--prod")
		}
		if o.member != "" {
			args = append(args, "--filter={./"+o.member+"}...")
		}
		return [][]string{append(args, "--ignore-scripts", "--prefer-offline", "--reporter=append-only",
			"--config.package-import-method=clone-or-copy", "--config.extend-node-path=false",
			"--config.fetch-retry-mintimeout=1000", "--config.fetch-retry-maxtimeout=5000")}
	},
	variables: func(cache string) []string {
		return []string{
			"npm_config_store_dir=" + filepath.Join(cache, "store"), "pnpm_config_store_dir=" + filepath.Join(cache, "store"),
			"npm_config_cache_dir=" + filepath.Join(cache, "cache"), "pnpm_config_cache_dir=" + filepath.Join(cache, "cache"),
			"npm_config_manage_package_manager_versions=false", "pnpm_config_manage_package_manager_versions=false",
			"npm_config_package_manager_strict=false", "pnpm_config_package_manager_strict=false",
			"npm_config_update_notifier=false", "pnpm_config_update_notifier=false",
		}
	},
	// It does not put variables into credentials of a source's own settings, which
	// might send them anywhere. Here both come from who deploys.
	home: func(dir string) map[string]string {
		settings, err := os.ReadFile(filepath.Join(dir, ".npmrc"))
		if err != nil {
			return nil
		}
		return map[string]string{".npmrc": string(settings)}
	},
	speech: pnpmSpeech,
}
