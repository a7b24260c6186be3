package build_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/toolchain"
)

func secrets(name, value string) func(context.Context) ([]slipway.EnvVar, error) {
	return func(context.Context) ([]slipway.EnvVar, error) {
		return []slipway.EnvVar{{Name: name, Value: value}}, nil
	}
}

// private is a registry that gives packages to those with a token, and has them
// from the usual one. It has a package of its own, which is another's renamed.
func private(t *testing.T, token string) (address string, refused *atomic.Int64) {
	t.Helper()
	refused = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			refused.Add(1)
			http.Error(w, "{}", http.StatusUnauthorized)
			return
		}
		answer, err := http.Get(toolchain.Registry() + r.URL.EscapedPath())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		w.WriteHeader(answer.StatusCode)
		if strings.Contains(r.URL.Path, "/-/") {
			io.Copy(w, answer.Body)
			return
		}
		text, _ := io.ReadAll(answer.Body)
		var about map[string]any
		if json.Unmarshal(text, &about) == nil {
			text = bytes.ReplaceAll(text, []byte(toolchain.Registry()), []byte("http://"+r.Host))
		}
		w.Write(text)
	}))
	t.Cleanup(server.Close)
	return server.URL, refused
}

// Credentials for a registry of one's own are used, and are nowhere afterwards:
// neither a literal one of the source, nor the secret of the deployment.
func TestCredentialsDoNotStay(t *testing.T) {
	realBuilder(t)
	const canary = "c4n4ry-t0ken-of-a-registry"
	registry, refused := private(t, canary)
	host := strings.TrimPrefix(registry, "http:")
	settings := func(token string) map[string]string {
		return map[string]string{
			".npmrc":      fmt.Sprintf("registry=%s/\n%s/:_authToken=%s\nalways-auth=true\nfetch-retries=0\n", registry, host, token),
			".yarnrc.yml": fmt.Sprintf("npmRegistryServer: %q\nnpmAuthToken: %q\nnpmAlwaysAuth: true\nunsafeHttpWhitelist: [\"127.0.0.1\"]\n", registry, token),
			"bunfig.toml": fmt.Sprintf("[install.registry]\nurl = \"%s/\"\ntoken = %q\n", registry, token),
		}
	}
	for _, manager := range []string{"npm@11.0.0", "yarn@1.22.22", "yarn@4.18.1", "pnpm@10.34.9", "bun@1.4.4"} {
		for name, c := range map[string]struct{ token, command string }{
			"literal":        {canary, ""},
			"secret":         {"${NPM_TOKEN}", ""},
			"secret, itself": {"${NPM_TOKEN}", "node --version"},
		} {
			if c.command != "" && manager != "npm@11.0.0" { // the same for all
				continue
			}
			t.Run(manager+" "+name, func(t *testing.T) {
				files := small(fmt.Sprintf(`{"name": "app", "dependencies": {"ms": "2.1.3"}, "packageManager": %q}`, manager))
				for name, text := range settings(c.token) {
					if strings.HasPrefix(manager, "bun") && name == "bunfig.toml" {
						text = strings.ReplaceAll(text, "${NPM_TOKEN}", "$NPM_TOKEN")
					}
					files[name] = text
				}
				dir := data(t)
				linkCache(t, dir, "toolchains")
				r := request(t, files)
				r.Secrets, r.BuildCommand = secrets("NPM_TOKEN", canary), c.command
				a, log := built(t, open(t, dir), r)
				if !strings.Contains(log, "Left out of the bundle, since credentials may be in it: .npmrc, .yarnrc.yml, bunfig.toml") {
					t.Error("the log does not say what was left out")
				}
				if _, err := os.Stat(filepath.Join(dir, "bundles", a.Digest, "app", "node_modules", "ms", "index.js")); err != nil {
					t.Error(err)
				}
				if n := refused.Swap(0); n > 0 {
					t.Errorf("%d requests had no token", n)
				}
				expectNowhere(t, dir, canary)
			})
		}
	}
}

// expectNowhere looks into every file below a folder.
func expectNowhere(t *testing.T, dir, canary string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(canary)) {
			t.Errorf("%s has the canary", strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Who has no token gets nothing that another's token brought.
func TestSharedDependenciesAreTheirsWhoMayHaveThem(t *testing.T) {
	t.Parallel()
	b := realBuilder(t)
	const token = "an0ther-t0ken"
	registry, _ := private(t, token)
	files := small(msManifest, ".npmrc", fmt.Sprintf("registry=%s/\n%s/:_authToken=${NPM_TOKEN}\nfetch-retries=0\n", registry, strings.TrimPrefix(registry, "http:")))
	r := request(t, files)
	r.Secrets = secrets("NPM_TOKEN", token)
	built(t, b, r)

	files["a.ts"] = "// somebody else's"
	r = request(t, files)
	r.Secrets = secrets("NPM_TOKEN", "guessed")
	_, err := b.Build(t.Context(), r, io.Discard)
	expectFailure(t, err, "install", "registry_denied", "")
}
