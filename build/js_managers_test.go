package build_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const helloGraph = `
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
const say = () => ({ messages: [{ role: "ai", content: "hello" }] });
export const hello = new StateGraph(MessagesAnnotation).addNode("say", say).addEdge(START, "say").compile();
`

// hello is an app of one package manager, with more files.
func hello(t *testing.T, manager string, more ...string) map[string]string {
	t.Helper()
	files := folder(t, "testdata/js/"+manager)
	files["langgraph.json"] = `{"graphs": {"hello": "./graph.mjs:hello"}}`
	files["graph.mjs"] = helloGraph
	for i := 0; i < len(more); i += 2 {
		files[more[i]] = more[i+1]
	}
	return files
}

// An app of each package manager is installed by its lock file and serves; after
// a change of a line nothing is installed.
func TestPackageManagers(t *testing.T) {
	b := realBuilder(t)
	cases := map[string]struct{ manager, ran string }{
		"yarn-classic": {"yarn 1.22.22", "$ yarn install --non-interactive --no-progress --ignore-scripts --prefer-offline --frozen-lockfile --production"},
		"yarn":         {"yarn 4.18.1", "$ yarn install --immutable\n"},
		"pnpm":         {"pnpm 10.34.9", "$ pnpm install --frozen-lockfile --prod "},
		"bun":          {"bun 1.4.4", "$ bun install --no-progress --ignore-scripts --backend=copyfile --frozen-lockfile --omit=dev"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			files := hello(t, name)
			a, log, _ := timed(t, b, request(t, files))
			if !strings.Contains(log, c.ran) || a.Runtime["package_manager"] != c.manager || len(a.Runtime["lock"]) != 64 {
				t.Errorf("runtime %v", a.Runtime)
			}
			if strings.Contains(log, "Warning: the app") {
				t.Error("the versions of the app's packages are not found")
			}
			serve(t, b, a, "hello")
			modules := filepath.Join(realDir, "bundles", a.Digest, "app", "node_modules")
			if _, err := os.Stat(filepath.Join(modules, "isarray")); err == nil {
				t.Error("development dependencies are installed")
			}
			files["graph.mjs"] += "// one more line\n"
			again, log, _ := timed(t, b, request(t, files))
			if strings.Contains(log, "$ ") || !strings.Contains(log, "dependencies are unchanged") || again.Runtime["lock"] != a.Runtime["lock"] {
				t.Errorf("after a change of a line: %v", again.Runtime)
			}
			expectNothing(t, realDir, "tmp")
		})
	}
}

// small is an app that is installed in no time.
func small(manifest string, more ...string) map[string]string {
	files := map[string]string{"langgraph.json": `{"graphs": {"a": "./a.ts:a"}}`, "a.ts": "", "package.json": manifest}
	for i := 0; i < len(more); i += 2 {
		files[more[i]] = more[i+1]
	}
	return files
}

const (
	msLock1   = "# yarn lockfile v1\n\n\nms@2.1.3:\n  version \"2.1.3\"\n  resolved \"https://registry.npmjs.org/ms/-/ms-2.1.3.tgz#574c8138ce1d2b5861f0b44579dbadd60c6615b2\"\n  integrity sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==\n"
	msLock4   = "__metadata:\n  version: 10\n  cacheKey: 10c0\n\n\"app@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"app@workspace:.\"\n  dependencies:\n    ms: \"npm:2.1.3\"\n  languageName: unknown\n  linkType: soft\n\n\"ms@npm:2.1.3\":\n  version: 2.1.3\n  resolution: \"ms@npm:2.1.3\"\n  checksum: 10c0/d924b57e7312b3b63ad21fc5b3dc0af5e78d61a1fc7cfb5457edaf26326bf62be5307cc87ffb6862ef1c2b33b0233cdb5d4f01c4c958cc0d660948b65a287a48\n  languageName: node\n  linkType: hard\n"
	msLockP   = "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n  excludeLinksFromLockfile: false\n\nimporters:\n\n  .:\n    dependencies:\n      ms:\n        specifier: 2.1.3\n        version: 2.1.3\n\npackages:\n\n  ms@2.1.3:\n    resolution: {integrity: sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==}\n\nsnapshots:\n\n  ms@2.1.3: {}\n"
	msLockBun = `{"lockfileVersion": 1, "workspaces": {"": {"name": "app", "dependencies": {"ms": "2.1.3"}}}, "packages": {"ms": ["ms@2.1.3", "", {}, "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA=="]}}`

	msManifest = `{"name": "app", "dependencies": {"ms": "2.1.3"}}`
)

// Which package manager is taken, and in which version.
func TestChoiceOfPackageManager(t *testing.T) {
	b := realBuilder(t)
	named := func(manager string) string {
		return strings.Replace(msManifest, "{", `{"packageManager": "`+manager+`", `, 1)
	}
	cases := map[string]struct {
		files map[string]string
		want  string
		says  string
	}{
		"yarn before pnpm":         {small(msManifest, "yarn.lock", msLock1, "pnpm-lock.yaml", msLockP), "yarn 1.22.22", "several lock files: going by yarn.lock"},
		"unless pnpm is named":     {small(named("pnpm@9.15.9+sha512.00"), "yarn.lock", msLock1, "pnpm-lock.yaml", msLockP), "pnpm 9.15.9", ""},
		"the lock file before it":  {small(named("yarn@4.18.1"), "bun.lock", msLockBun), "bun 1.4.4", "package.json names yarn, but the lock file is bun's"},
		"a name without a lock":    {small(named("yarn@4.9.4")), "yarn 4.9.4", "no lock file"},
		"a range":                  {small(named("pnpm@9.x"), "pnpm-lock.yaml", msLockP), "pnpm 9.15.9", ""},
		"what can not be had":      {small(named("pnpm@9.99.99"), "pnpm-lock.yaml", msLockP), "pnpm 10.34.9", "Warning: pnpm@9.99.99 can not be used"},
		"what does not run":        {small(named("pnpm@11.28.9"), "pnpm-lock.yaml", msLockP), "pnpm 10.34.9", "Warning: pnpm@11.28.9 can not be used"},
		"by the form of the lock":  {small(msManifest, "yarn.lock", strings.Replace(msLock4, "version: 10", "version: 8", 1)), "yarn 4.9.4", "--immutable"},
		"an older form of a lock":  {small(msManifest, "yarn.lock", strings.Replace(msLock4, "version: 10", "version: 7", 1)), "yarn 4.9.4", "yarn.lock is of an older form"},
		"an engine that is named":  {small(`{"devEngines": {"packageManager": {"name": "bun"}}, "dependencies": {"ms": "2.1.3"}}`), "bun 1.4.4", ""},
		"one that nobody knows":    {small(named("vlt@1.0.0")), "npm", "package.json names vlt"},
		"the newer yarn's project": {small(msManifest, "yarn.lock", "", ".yarnrc.yml", "enableTelemetry: false\n"), "yarn 4.18.1", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a, log, _ := timed(t, b, request(t, c.files))
			if got := a.Runtime["package_manager"]; !strings.HasPrefix(got, c.want) || !strings.Contains(log, c.says) {
				t.Errorf("installed by %s", got)
			}
			if _, err := os.Stat(filepath.Join(realDir, "bundles", a.Digest, "app", "node_modules", "ms", "package.json")); err != nil {
				t.Error(err)
			}
		})
	}
}

// What the real package managers say when they fail.
func TestPackageManagersFail(t *testing.T) {
	b := realBuilder(t)
	closed := []string{".npmrc", "registry=http://127.0.0.1:1/\nfetch-retries=0\n", ".yarnrc.yml", "npmRegistryServer: \"http://127.0.0.1:1\"\nunsafeHttpWhitelist: [\"127.0.0.1\"]\nhttpRetry: 0\n", "bunfig.toml", "[install]\nregistry = \"http://127.0.0.1:1/\"\n"}
	const (
		absent   = `{"name": "app", "dependencies": {"@slipwayhq/no-such-package": "1.0.0"}, "packageManager": "MANAGER"}`
		newer    = `{"name": "app", "dependencies": {"ms": "99.0.0"}, "packageManager": "MANAGER"}`
		uncached = `{"name": "app", "dependencies": {"kind-of": "6.0.3"}, "packageManager": "MANAGER"}`
	)
	for _, m := range []struct{ manager, name, lock, text string }{
		{"yarn@1.22.22", "yarn", "yarn.lock", msLock1},
		{"yarn@4.18.1", "yarn", "yarn.lock", msLock4},
		{"pnpm@10.34.9", "pnpm", "pnpm-lock.yaml", msLockP},
		{"bun@1.4.4", "bun", "bun.lock", msLockBun},
	} {
		bad := strings.NewReplacer("6FlzubTLZG3J2a", "AAAAubTLZG3J2a", "10c0/d924b5", "10c0/abcdef", "ms-2.1.3.tgz#574c8138ce1d2b5861f0b44579dbadd60c6615b2", "ms-2.1.3.tgz").Replace(m.text)
		cases := map[string]struct {
			files         map[string]string
			code, message string
		}{
			"lock does not fit": {small(strings.ReplaceAll(msManifest, "2.1.3", "2.1.2"), m.lock, m.text), "lock_refused", ""},
			"no such package":   {small(absent), "dependency_not_found", "no-such-package"},
			"no such version":   {small(newer), "dependency_not_found", "99.0.0"},
			"unreachable":       {small(uncached, closed...), "registry_unreachable", ""},
			"other content":     {small(msManifest, m.lock, bad, "package.json", msManifest), "integrity_mismatch", ""},
			"lock is no lock":   {small(msManifest, m.lock, map[string]string{"bun.lock": "{{{", "yarn.lock": "{{{ nonsense\n", "pnpm-lock.yaml": "lockfileVersion: '9.0'\n{{{ nonsense\n"}[m.lock]), "lock_refused", ""},
		}
		for name, c := range cases {
			t.Run(m.manager+" "+name, func(t *testing.T) {
				files := maps.Clone(c.files)
				files["package.json"] = strings.ReplaceAll(files["package.json"], "MANAGER", m.manager)
				if name == "other content" { // what is known is not fetched
					forgetCaches(t)
				}
				var log lines
				_, err := b.Build(t.Context(), request(t, files), &log)
				t.Logf("%v\nlog:\n%s", err, &log)
				if err == nil {
					t.Fatal("it did not fail")
				}
				expectFailure(t, err, "install", c.code, m.name+" can not install the dependencies: ")
				expectFailure(t, err, "install", c.code, c.message)
				expectNothing(t, realDir, "tmp")
			})
		}
	}
}

func forgetCaches(t *testing.T) {
	t.Helper()
	for _, name := range []string{"yarn", "pnpm", "bun"} {
		if err := os.RemoveAll(filepath.Join(realDir, "cache", name)); err != nil {
			t.Fatal(err)
		}
	}
}
