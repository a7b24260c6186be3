package toolchain

import (
	"os"
	"path/filepath"
	"strings"
)

// passed are the variables of the server that tools get too: how to reach
// registries from here. Nothing else of its environment is given to them.
var passed = strings.Fields(`
	HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy
	NODE_EXTRA_CA_CERTS SSL_CERT_FILE SSL_CERT_DIR
	npm_config_registry NPM_CONFIG_REGISTRY npm_config_cafile NPM_CONFIG_CAFILE
	npm_config_userconfig NPM_CONFIG_USERCONFIG`)

// settings are the files that the passed variables name.
func settings() []string {
	var files []string
	for _, name := range passed {
		if value := os.Getenv(name); filepath.IsAbs(value) {
			files = append(files, value)
		}
	}
	return files
}

// Environment for a tool: its folders first in PATH, a home, and the way to the
// registries.
func Environment(path, home string, more ...string) []string {
	env := []string{
		"PATH=" + path + ":/usr/local/bin:/usr/bin:/bin",
		"HOME=" + home,
		"LANG=C.UTF-8",
	}
	for _, name := range passed {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return append(env, more...)
}
