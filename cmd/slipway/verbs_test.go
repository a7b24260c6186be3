package main

import (
	"bytes"
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// result is what a command line did.
type result struct {
	code      int
	out, errs string
}

func slipwayWith(ctx context.Context, in string, args ...string) result {
	var out, errs bytes.Buffer
	code := run(ctx, args, strings.NewReader(in), &out, &errs)
	return result{code, out.String(), errs.String()}
}

// fakeControl serves the fake in this process, and points the command line to
// it.
func fakeControl(t *testing.T, mode string) *fakeServer {
	t.Helper()
	f := &fakeServer{mode: mode, refuse: map[string]answer{}}
	server := httptest.NewServer(f.handler())
	t.Cleanup(server.Close)
	f.base = server.URL
	t.Setenv("SLIPWAY_URL", server.URL)
	t.Setenv("SLIPWAY_API_KEY", "key")
	return f
}

func app(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "My App_2")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, configFile), []byte(`{"graphs":{"b":"./b.js:b","a":"./a.js:a"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// contains fails unless a text holds all parts in that order.
func contains(t *testing.T, where, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		at := strings.Index(rest, part)
		if at < 0 {
			t.Errorf("%s: no %q (in this place) in:\n%s", where, part, text)
			return
		}
		rest = rest[at+len(part):]
	}
}

func TestVerbs(t *testing.T) {
	revision := fakeRevision + "1"
	tests := []struct {
		name      string
		empty     bool // there is no deployment
		in        string
		args      []string
		code      int
		out, errs []string
		never     string // is not printed
	}{
		{name: "list", args: []string{"list"}, out: []string{"NAME", "STATUS", "NEWEST", "URL\n", "echo", "READY", "DEPLOYED", "2026-01-02 03:04:05", "/d/echo\n"}},
		{name: "list nothing", empty: true, args: []string{"list"}, out: []string{"no deployment yet", "slipway deploy"}},
		{name: "list as JSON", args: []string{"list", "--json"}, out: []string{"[\n", `"name": "echo"`}},
		{name: "list nothing as JSON", empty: true, args: []string{"list", "--json"}, out: []string{"[]\n"}},
		{name: "status", args: []string{"status", "echo"}, out: []string{"name", "echo", "id", fakeID, "status", "READY", "url", "/d/echo", "serving", revision, "newest", revision, "DEPLOYED", "created"}},
		{name: "status as JSON", args: []string{"status", "echo", "--json"}, out: []string{`"id": "` + fakeID}},
		{name: "status of nothing", args: []string{"status", "other"}, code: 1, errs: []string{`slipway: There is no deployment named "other".`}},
		{name: "revisions", args: []string{"revisions", "echo"}, out: []string{"REVISION", "STATUS", "REASON\n", "*", revision, "DEPLOYED"}},
		{name: "revisions as JSON", args: []string{"revisions", "echo", "--json"}, out: []string{`"status_history"`}},
		{name: "logs", args: []string{"logs", "echo"}, out: []string{"1970-01-01T00:00:01.000Z INFO    added", "1970-01-01T00:00:02.000Z ERROR   it broke\n"}},
		{name: "logs as JSON", args: []string{"logs", "echo", "--json", "--tail", "0"}, out: []string{`{"id":"i:1"`, `{"id":"i:2"`}},
		{name: "build log", args: []string{"logs", "echo", "--build", "--follow"}, out: []string{"INFO", "ERROR", "it broke"}},
		{name: "redeploy", args: []string{"redeploy", "echo"}, out: []string{"Revision " + fakeRevision + "2:", "0.0s QUEUED\n", "1.5s BUILDING\n", "3.0s DEPLOYED\n", "echo serves at http"}},
		{name: "rotate the password", args: []string{"rotate-database-password", "echo"}, out: []string{"Revision " + fakeRevision + "2:", "3.0s DEPLOYED\n", "echo serves at http"}},
		{name: "redeploy and leave", args: []string{"redeploy", "echo", revision, "--no-wait"}, out: []string{"slipway status echo"}},
		{name: "rollback of the only one", args: []string{"rollback", "echo"}, code: 1, errs: []string{"nothing to go back to"}},
		{name: "delete asks", in: "echo\n", args: []string{"delete", "echo"}, out: []string{
			"Deleting echo (" + fakeID + ") removes\n", "route", "-", "since 2026-01-02 03:04:05\n", "instance", "and keeps\n", "tracing_project", "It holds traces.\n",
			"A final snapshot of its state is kept elsewhere before it goes for good", "It can be restored until ", " UTC.\nType its name to go on: Deleting echo …\n", "instance i1 is not gone yet: it does not stop\n", "instance i1 is gone\n",
			"echo is gone. Until 2026-01-05 03:04:05 UTC it can be restored: slipway restore " + fakeID + "\n",
		}, never: "i0"},
		{name: "delete by id", in: "echo\n", args: []string{"delete", strings.ToUpper(fakeID)}, out: []string{"echo is gone."}},
		{name: "delete takes no for an answer", in: "y\n", args: []string{"delete", "echo"}, code: 1, out: []string{"Type its name"}, errs: []string{"nothing was deleted"}},
		{name: "delete hears nothing", args: []string{"delete", "echo"}, code: 1, errs: []string{"nothing was deleted"}},
		{name: "delete with force", args: []string{"delete", "echo", "--force"}, out: []string{"removes", "can be restored", "Deleting echo", "echo is gone."}, never: "Type"},
		{name: "delete now", args: []string{"delete", "echo", "--force", "--now", "--delete-tracing-project"}, out: []string{
			"tracing_project", "It can not be restored afterwards.\n", "instance i1 is gone\n", "bundle b1 is gone\n", "state is gone\n",
			"echo is gone, and nothing is left of it.", "slipway receipt " + fakeID + "\n",
		}, never: "and keeps"},
		{name: "delete and leave", args: []string{"delete", "echo", "--force", "--no-wait"}, out: []string{"Deleting echo …\n", "slipway receipt " + fakeID}, never: "is gone"},
		{name: "delete for programs", args: []string{"delete", "echo", "--force", "--json"}, out: []string{"{\n", `"state": "kept"`}, errs: []string{"removes", "echo is gone"}},
		{name: "dry run", args: []string{"delete", "echo", "--dry-run"}, out: []string{"removes", "and keeps", "can be restored"}, never: "Type"},
		{name: "dry run for programs", args: []string{"delete", "echo", "--dry-run", "--now", "--json"}, out: []string{"{\n", `"kept_for": 0`}},
		{name: "restore of nothing", args: []string{"restore", "echo"}, code: 1, errs: []string{`no deleted deployment "echo"; see slipway list --deleted`}},
		{name: "purge of nothing", args: []string{"purge", fakeID}, code: 1, errs: []string{"no deleted deployment"}},
		{name: "receipt of nothing", args: []string{"receipt", fakeID}, code: 1, errs: []string{"no deleted deployment"}},
		{name: "list no deleted ones", args: []string{"list", "--deleted"}, out: []string{"no deleted deployment"}},
		{name: "list no deleted ones as JSON", args: []string{"list", "--deleted", "--json"}, out: []string{"[]\n"}},
		{name: "no leftovers", args: []string{"leftovers"}, out: []string{"Nothing is left over.\n"}},
		{name: "no leftovers as JSON", args: []string{"leftovers", "--json"}, out: []string{"[]\n"}},
		{name: "protect", args: []string{"protect", "echo"}, out: []string{"echo is protected from deletion. To lift that: slipway protect echo --off\n"}},
		{name: "do not protect", args: []string{"protect", fakeID, "--off"}, out: []string{"echo is not protected from deletion.\n"}},
		{name: "version", args: []string{"version"}, out: []string{"slipway ", "go1."}},
		{name: "version as JSON", args: []string{"version", "--json"}, out: []string{`"version": `}},
		{name: "help", args: []string{"--help"}, out: []string{"slipway demo", "deploy ", "version "}},

		{name: "unknown verb", args: []string{"deplyo"}, code: 2, errs: []string{`unknown command "deplyo"`, "slipway --help"}},
		{name: "unknown flag", args: []string{"list", "--jsn"}, code: 2, errs: []string{"unknown flag", "slipway list --help"}},
		{name: "no name", args: []string{"status"}, code: 2, errs: []string{"accepts 1 arg"}},
		{name: "bad variable", args: []string{"deploy", "--env", "SECRET"}, code: 1, errs: []string{"langgraph.json"}},
		{name: "bad address", args: []string{"list", "--url", "localhost:8124"}, code: 2, errs: []string{"no address of a server"}},
		{name: "nobody there", args: []string{"delete", "echo", "--url", "http://127.0.0.1:1"}, code: 1, errs: []string{"connection refused", "slipway server"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := fakeControl(t, "")
			if !tt.empty {
				f.have("echo")
				f.revise(nil, "")
			}
			got := slipwayWith(t.Context(), tt.in, tt.args...)
			if got.code != tt.code {
				t.Errorf("exit %d, want %d\n%s%s", got.code, tt.code, got.out, got.errs)
			}
			contains(t, "output", got.out, tt.out...)
			contains(t, "errors", got.errs, tt.errs...)
			if tt.never != "" && strings.Contains(got.out, tt.never) {
				t.Errorf("output has %q:\n%s", tt.never, got.out)
			}
			if tt.code == 0 && tt.errs == nil && got.errs != "" {
				t.Errorf("errors: %s", got.errs)
			}
		})
	}
}

func TestDeploy(t *testing.T) {
	tests := []struct {
		name, mode string
		args       []string
		code       int
		out, errs  []string
	}{
		{"waits", "", nil, 0, []string{"Created deployment my-app-2", "Uploaded 1 file:", "0.0s QUEUED", "3.0s DEPLOYED", "my-app-2 serves at http"}, nil},
		{"verbose", "", []string{"-v"}, 0, []string{"added 12 packages", "serves at"}, nil},
		{"leaves", "", []string{"--no-wait"}, 0, []string{"Revision ", "slipway status my-app-2"}, nil},
		{"for programs", "", []string{"--json", "--name", "other"}, 0, []string{"{\n", `"name": "other"`}, []string{"Created deployment other", "DEPLOYED"}},
		{"a build fails", "BUILD_FAILED", nil, 1, []string{"3.0s BUILD_FAILED", "last lines of the build:", "added 12 packages", "it broke"}, []string{"BUILD_FAILED: npm install exited 1", "hint: look at package.json"}},
		{"a start fails", "DEPLOY_FAILED", nil, 1, []string{"last lines of the agent:", "it broke"}, []string{"DEPLOY_FAILED: npm"}},
		{"overtaken", "SKIPPED", nil, 1, nil, []string{"skipped: a newer one"}},
		{"cancelled", "INTERRUPTED", nil, 1, nil, []string{"the revision was cancelled"}},
		{"no configuration", "", []string{"--config", "x/langgraph.json"}, 1, nil, []string{"no app in", "x/langgraph.json"}},
		{"configuration elsewhere", "", []string{"--config", "../langgraph.json"}, 2, nil, []string{"must lie within"}},
		{"bad variable", "", []string{"--env", "A"}, 2, nil, []string{"NAME=VALUE"}},
		{"both", "", []string{"--wait", "--no-wait"}, 2, nil, []string{"wait no-wait"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fakeControl(t, tt.mode)
			got := slipwayWith(t.Context(), "", append([]string{"deploy", app(t)}, tt.args...)...)
			if got.code != tt.code {
				t.Errorf("exit %d, want %d\n%s%s", got.code, tt.code, got.out, got.errs)
			}
			contains(t, "output", got.out, tt.out...)
			contains(t, "errors", got.errs, tt.errs...)
		})
	}
}

// Settings are sent when they are given, with the creation and with a change.
func TestDeploySettings(t *testing.T) {
	f := fakeControl(t, "")
	dir := app(t)
	for range 2 {
		f.asked = nil
		if got := slipwayWith(t.Context(), "", "deploy", dir, "--agent-server", "aegra", "--build-command", "npm run build", "--access", "public", "--no-wait"); got.code != 0 {
			t.Fatal(got)
		}
		contains(t, "requests", strings.Join(f.asked, "\n"), `"access":"public","agent_server":"aegra","build_command":"npm run build"`)
	}
	f.asked = nil
	if got := slipwayWith(t.Context(), "", "deploy", dir, "--no-wait"); got.code != 0 || strings.Contains(strings.Join(f.asked, ""), "agent_server") {
		t.Errorf("%+v, asked %q", got, f.asked)
	}
}

// Variables go with the creation; later ones are added to those that stay.
func TestDeployVariables(t *testing.T) {
	f := fakeControl(t, "")
	dir := app(t)
	if got := slipwayWith(t.Context(), "", "deploy", dir, "--env", "A=1", "--env", "B=x=y"); got.code != 0 {
		t.Fatal(got)
	}
	contains(t, "creation", strings.Join(f.asked, "\n"), `"secrets":[{"name":"A","value":"1"},{"name":"B","value":"x=y"}]`, "PATCH ", `"source_tarball_path":"uploads/1"`)
	if f.upload == 0 {
		t.Error("nothing was uploaded")
	}
	f.deployment.Secrets, f.asked = nil, nil
	f.deployment.Secrets = append(f.deployment.Secrets, masked("A"), masked("B"))
	if got := slipwayWith(t.Context(), "", "deploy", dir, "--env", "B=2", "--no-wait"); got.code != 0 {
		t.Fatal(got)
	}
	contains(t, "change", strings.Join(f.asked, "\n"), "PATCH ", `"secrets":[{"name":"B","value":"2"},{"name":"A","value":"********"}]`)
	f.asked = nil
	if got := slipwayWith(t.Context(), "", "deploy", dir, "--no-wait"); got.code != 0 || strings.Contains(strings.Join(f.asked, ""), "secrets") {
		t.Errorf("%+v, asked %q", got, f.asked)
	}
}

func TestServersWordsAreShown(t *testing.T) {
	f := fakeControl(t, "")
	tests := []struct {
		status     int
		body, want string
	}{
		{422, `{"detail":[{"loc":["body","name"],"msg":"Field required","type":"missing"}]}`, "slipway: create deployment my-app-2: body.name: Field required\n"},
		{409, `{"detail":"There already exists a project in LangSmith named: X."}`, "already exists a project"},
		{401, `{"detail":"Invalid API key."}`, "Invalid API key.\nThe server does not know this key."},
	}
	for _, tt := range tests {
		f.refuse["POST /v2/deployments"] = answer{tt.status, tt.body}
		f.deployment = nil
		got := slipwayWith(t.Context(), "", "deploy", app(t))
		if got.code != 1 {
			t.Errorf("exit %d", got.code)
		}
		contains(t, "errors", got.errs, tt.want)
	}
}

// Ctrl-C ends the waiting, not the revision.
func TestDeployInterrupted(t *testing.T) {
	fakeControl(t, "BUILDING")
	ctx, cancel := context.WithCancel(t.Context())
	out := &watched{part: "BUILDING", then: cancel}
	var errs bytes.Buffer
	code := run(ctx, []string{"deploy", app(t)}, strings.NewReader(""), out, &errs)
	if code != 1 || errs.String() != "slipway: interrupted\n" {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	contains(t, "output", out.String(), "It goes on without you", "slipway status my-app-2")
}
