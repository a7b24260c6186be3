package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
)

// leak is a build that says all that it knows, in every way that it can think
// of: in one line and in several writes, encoded, within a line that is cut, and
// as the reason why it failed.
const leak = `
import { readFileSync, readdirSync } from "node:fs";
const say = (text) => process.stdout.write(text + "\n");
const known = [...Object.values(process.env), ...(CANARIES)];
for (const name of [".npmrc", "pip.conf"]) { try { say(readFileSync(name, "utf8")); } catch (e) { say(String(e)); } }
for (const value of known) {
  say("plain " + value);
  say("base64 " + Buffer.from(value).toString("base64") + " and " + Buffer.from("user:" + value).toString("base64"));
  say("hex " + Buffer.from(value).toString("hex") + " url " + encodeURIComponent(value) + " json " + JSON.stringify({ value }));
  for (const part of value.split("")) process.stdout.write(part);
  say("");
  say("x".repeat(16 * 1024 - 5) + value);
}
const reads = (path) => { try { say(path + " tells " + readFileSync(path, "latin1").replaceAll("\n", " ")); } catch (e) { say(path + ": " + e.code); } };
const parent = (pid) => Number(readFileSync("/proc/" + pid + "/stat", "utf8").split(") ").pop().split(" ")[1]);
try { for (let pid = process.pid; pid > 1; pid = parent(pid)) reads("/proc/" + pid + "/environ"); } catch (e) { say("parents: " + e.code); }
for (const path of ["DATA/secret.key", "DATA/admin.key", "DATA/slipway.db", "DATA/slipway.db-wal"]) reads(path);
try { say("sees " + readdirSync("DATA")); } catch (e) { say("folder: " + e.code); }
console.error("npm error it knows " + known.join(" "));
process.exitCode = 1; // exit() would not wait until all is said
`

// What a build knows and must not tell is found nowhere but in what the app
// itself brought.
func TestCanary(t *testing.T) {
	t.Parallel()
	fromServer := "canary-0f-the-server-9c1"
	s := newServer(t)
	s.stop()
	s.env = []string{"SLIPWAY_TEST_CANARY=" + fromServer}
	s.start()
	canaries := map[string]string{
		"variable":   "canary/of+a=variable 4f\"2",
		"build":      "canary-for-builds-77e0",
		"lines":      "-----BEGIN KEY-----\ncanary-in-line-one\ncanary-in-line-two\n-----END KEY-----",
		"npmrc":      "canary-of-npmrc-5b21",
		"pip":        "canary-of-pip-8d3a",
		"the server": fromServer,
	}
	d := s.createWith("canary", wire.Secret{Name: "AGENT_TOKEN", Value: canaries["variable"]},
		wire.Secret{Name: "BUILD_SECRET_TOKEN", Value: canaries["build"]}, wire.Secret{Name: "BUILD_SECRET_KEY", Value: canaries["lines"]})
	in, err := json.Marshal([]string{canaries["variable"]})
	must(t, err)
	command := "node leak.mjs"
	_, err = s.PatchDeployment(t.Context(), d.id, wire.DeploymentPatchRequest{SourceConfig: &wire.SourceConfigRequest{BuildCommand: &command}})
	must(t, err)
	args := watchArguments(t, 20*time.Millisecond)
	r := d.await(d.push(pack(t, "testdata/plain-js", map[string]string{
		"leak.mjs": strings.NewReplacer("CANARIES", string(in), "DATA", s.data).Replace(leak),
		".npmrc":   "//registry.example.org/:_authToken=" + canaries["npmrc"] + "\n",
		"pip.conf": "[global]\nindex-url = https://ci:" + canaries["pip"] + "@pypi.example.org/simple\n",
	})))
	seen := args()
	if r.Status != "BUILD_FAILED" {
		t.Fatalf("revision is %s", r.Status)
	}
	log := d.buildLog(r)
	if !strings.Contains(log, "plain ***") || !strings.Contains(log, "url ***") {
		t.Errorf("the build did not come to tell: %s\n%.2000s", deref(r.StatusMessage), log)
	}
	answers := everything(t, d, r)
	var all []string
	for name, canary := range canaries {
		forms := written(canary)
		for _, form := range forms {
			for place, text := range map[string]string{"the build log": log, "an answer": answers, "arguments": seen} {
				if i := strings.Index(text, form); i >= 0 {
					t.Errorf("%s of %s is in %s: %.200q", form, name, place, text[max(0, i-100):])
				}
			}
		}
		all = append(all, forms...)
	}
	expectNotBelow(t, s.data, all)
	for _, line := range strings.Split(log, "\n") {
		if strings.Contains(line, " tells ") && !strings.Contains(line, "SLIPWAY_BUILD=") {
			t.Errorf("a build reads %.100q", line)
		}
	}
}

// written are the ways in which a value is looked for.
func written(value string) []string {
	forms := []string{base64.StdEncoding.EncodeToString([]byte(value)), url.QueryEscape(value), fmt.Sprintf("%x", value)}
	for line := range strings.Lines(value) {
		if !strings.HasPrefix(line, "--") {
			forms = append(forms, strings.TrimSpace(line))
		}
	}
	return forms
}

// createWith makes a deployment with variables.
func (s *server) createWith(name string, secrets ...wire.Secret) *deployment {
	s.t.Helper()
	d, err := s.CreateDeployment(s.t.Context(), wire.DeploymentCreateRequest{Name: name, Source: "internal_source", Secrets: secrets})
	must(s.t, err)
	return &deployment{server: s, id: d.ID, url: s.url + "/d/" + name}
}

// everything that the API says of a deployment and a revision.
func everything(t *testing.T, d *deployment, r wire.Revision) string {
	t.Helper()
	var text bytes.Buffer
	say := json.NewEncoder(&text)
	say.SetEscapeHTML(false)
	v, err := d.Deployment(t.Context(), d.id)
	must(t, errFirst(err, say.Encode(v)))
	again, err := d.Revision(t.Context(), d.id, r.ID)
	must(t, errFirst(err, say.Encode(again)))
	return text.String()
}

func errFirst(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// watchArguments collects the arguments of all processes, by a look every so often,
// until it is called.
func watchArguments(t *testing.T, every time.Duration) func() string {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan string)
	go func() {
		seen := map[string]bool{}
		for tick := time.NewTicker(every); ctx.Err() == nil; <-tick.C {
			processes, _ := filepath.Glob("/proc/[0-9]*")
			for _, process := range processes {
				if text, err := os.ReadFile(process + "/cmdline"); err == nil {
					seen[string(text)] = true
				}
			}
		}
		var all strings.Builder
		for text := range seen {
			all.WriteString(text + "\n")
		}
		done <- all.String()
	}()
	return func() string { cancel(); return <-done }
}

// expectNotBelow looks through all files of a data folder: database, logs,
// caches. The upload is the app's own, and so is what a bundle has of it. The
// files are many and large, so each is read once, for all texts.
func expectNotBelow(t *testing.T, data string, texts []string) {
	t.Helper()
	must(t, filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasPrefix(path, filepath.Join(data, "blobs")) {
			return err
		}
		content, err := os.ReadFile(path)
		for _, text := range texts {
			if bytes.Contains(content, []byte(text)) {
				t.Errorf("%s is in %s", text, path)
			}
		}
		return err
	}))
}
