package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
)

// slipway runs the command line against the server.
func (s *server) slipway(args ...string) (string, error) {
	cmd := exec.CommandContext(s.t.Context(), binary, append(args, "--url", s.url, "--api-key", strings.TrimSpace(s.key))...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// whenFlagged is the echo app with a line of code that is run once its flag is
// up, however long it serves by then.
func whenFlagged(t *testing.T, code string) []byte {
	t.Helper()
	graph, err := os.ReadFile(echo + "/src/graph.ts")
	must(t, err)
	return pack(t, echo, map[string]string{"src/graph.ts": fmt.Sprintf(`import { existsSync, unlinkSync } from "node:fs";
const flag = process.env.SLIPWAY_STATE_DIR + "/flag";
setInterval(() => { if (existsSync(flag)) { %s } }, 50);
%s`, code, graph)})
}

// flag is a file that the agent can see, and its revisions share.
func (d *deployment) flag() string {
	return filepath.Join(d.data, "deployments", d.id, "state", "flag")
}

// An app that crashes a while after it came to serve: the one that served before
// takes its place by itself, and people can read what happened.
func TestWhatDoesNotSettleGivesWay(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	good := d.deploy(pack(t, echo, nil))
	_, err := d.PatchDeployment(t.Context(), d.id, wire.DeploymentPatchRequest{DisplayName: new("Echo")})
	must(t, err)
	bad := d.deploy(whenFlagged(t, `console.error("crash test: the flag is up"); process.kill(process.pid, "SIGKILL");`))
	must(t, os.WriteFile(d.flag(), nil, 0o600))
	var v wire.Deployment
	eventually(t, "another takes its place", func() bool {
		v, err = d.Deployment(t.Context(), d.id)
		must(t, err)
		return deref(v.ActiveRevisionID) != bad.ID
	})
	made := s.newest(d.id)
	if made.ID != deref(v.ActiveRevisionID) || made.Status != "DEPLOYED" || deref(made.ReturnedFrom) != bad.ID || made.Artefact.Digest != good.Artefact.Digest {
		t.Errorf("made in its place: %+v", made)
	}
	if v.Health == nil || v.Health.State != "healthy" {
		t.Errorf("health: %+v", v.Health)
	}
	if status, body, err := d.get("/ok"); err != nil || status != http.StatusOK {
		t.Errorf("it answers %d %s %v", status, body, err)
	}
	failed, err := d.Revision(t.Context(), d.id, bad.ID)
	must(t, err)
	if failed.Status != "DEPLOYED" || failed.Failure == nil || failed.Failure.Code != "crash_loop" || failed.Failure.Phase != "serve" || len(failed.StatusHistory) != len(bad.StatusHistory) {
		t.Errorf("the one that failed: %+v", failed)
	}
	for _, text := range []string{"3 times in a row", "crash test: the flag is up", made.ID} {
		if !strings.Contains(deref(failed.StatusMessage), text) {
			t.Errorf("its message %q lacks %q", deref(failed.StatusMessage), text)
		}
	}
	for verb, texts := range map[string][]string{
		"status":    {made.ID, "made in the place of revision " + bad.ID},
		"revisions": {good.ID, "times in a row", "made in the place of revision " + bad.ID},
	} {
		out, err := s.slipway(verb, "echo")
		if err != nil || slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(out, text) }) {
			t.Errorf("slipway %s: %v\n%s", verb, err, out)
		}
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	first := d.deploy(pack(t, echo, nil))
	second := d.deploy(pack(t, echo, map[string]string{"README.md": "second"}))
	if first.Artefact.Digest == second.Artefact.Digest {
		t.Fatal("both are the same")
	}
	_, err := d.PatchDeployment(t.Context(), d.id, wire.DeploymentPatchRequest{Secrets: &[]wire.Secret{{Name: "ONLY_OF_THIRD", Value: "x"}}})
	must(t, err)
	third := d.await(s.newest(d.id))
	out, err := s.slipway("rollback", "echo")
	if err != nil || !strings.Contains(out, "from "+third.ID+" to "+second.ID) || !strings.Contains(out, "DEPLOYED") || !strings.Contains(out, "echo serves at") {
		t.Fatalf("rollback: %v\n%s", err, out)
	}
	v, err := d.Deployment(t.Context(), d.id)
	must(t, err)
	now := s.newest(d.id)
	if deref(v.ActiveRevisionID) != now.ID || now.Artefact.Digest != second.Artefact.Digest || len(v.Secrets) != 1 || v.Secrets[0].Name != "GREETING" {
		t.Errorf("afterwards %+v runs, with %v", now, v.Secrets)
	}
	if out, err := s.slipway("rollback", "echo", first.ID); err != nil || s.newest(d.id).Artefact.Digest != first.Artefact.Digest {
		t.Errorf("rollback to the first: %v\n%s", err, out)
	}
	if out, err := s.slipway("rollback", "echo", "0190aaaa-0000-7000-8000-000000000001"); err == nil || !strings.Contains(out, "has no revision") {
		t.Errorf("rollback to nothing: %v\n%s", err, out)
	}
}

// An event loop that is blocked for good answers nobody, and ends by itself never.
func TestWhatHangsIsStartedAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--health-interval", "1s", "--health-timeout", "2s", "--health-misses", "3")
	d := s.create("echo")
	d.deploy(whenFlagged(t, `unlinkSync(flag); for (;;) {}`))
	before := mains(s.data)
	must(t, os.WriteFile(d.flag(), nil, 0o600))
	eventually(t, "its health tells of it", func() bool {
		v, err := d.Deployment(t.Context(), d.id)
		must(t, err)
		return v.Health != nil && v.Health.State == "unhealthy" && strings.Contains(deref(v.Health.Reason), "gave no answer within 2s to GET /ok")
	})
	eventually(t, "it serves again", func() bool {
		v, err := d.Deployment(t.Context(), d.id)
		must(t, err)
		status, _, err := d.get("/ok")
		return err == nil && status == http.StatusOK && v.Health.State == "healthy"
	})
	if now := mains(s.data); len(now) != 1 || len(before) != 1 || now[0] == before[0] {
		t.Errorf("agents: %v, were %v", now, before)
	}
	if err := syscall.Kill(before[0], 0); err == nil {
		t.Error("the one that hung is there still")
	}
}
