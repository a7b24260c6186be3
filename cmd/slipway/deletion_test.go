package main

import (
	"bytes"
	"context"
	"net/http/httptest"
	"strings"
	"testing"
)

// deleted is a fake whose deployment has been deleted and is kept.
func deleted(t *testing.T, mode string) *fakeServer {
	t.Helper()
	f := fakeControl(t, "")
	f.have("echo")
	f.revise(nil, "")
	if got := slipwayWith(t.Context(), "", "delete", "echo", "--force"); got.code != 0 {
		t.Fatal(got)
	}
	f.mode, f.asked = mode, nil
	return f
}

func TestDeletedVerbs(t *testing.T) {
	for name, c := range map[string]struct {
		mode, in  string
		args      []string
		code      int
		out, errs []string
		asks      string // of the server
	}{
		"list":      {args: []string{"list", "--deleted"}, out: []string{"NAME", "ID", "STATE", "KEPT UNTIL", "echo", fakeID, "kept", "2026-01-02 03:04:05", "of the CI", "2026-01-05 03:04:05\n"}},
		"leftovers": {args: []string{"leftovers"}, out: []string{"KIND", "WHAT", "STAYS BECAUSE\n", "state", "/data/x", fakeID, "2026-01-02 03:04:05", "it is new\n"}},
		"receipt": {args: []string{"receipt", "echo"}, out: []string{
			"state", "kept\n", "deleted", "2026-01-02 03:04:05 UTC by of the CI (key-1)\n", "gone", "kept until", "2026-01-05 03:04:05 UTC\n",
			"KIND", "SEEN GONE", "instance", "i1", "03:04:05", "03:04:07", "03:04:07", "state", "-", "-", "tracing_project", "stays", "It holds traces.",
		}},
		"receipt by id as JSON": {args: []string{"receipt", fakeID, "--json"}, out: []string{`"verified_at": null`, `"state": "kept"`}, asks: "GET /v1/deletions/" + fakeID + " "},
		"restore": {
			args: []string{"restore", "echo"}, out: []string{"Restoring echo (" + fakeID + "), deleted 2026-01-02 03:04:05 UTC …\n", "echo serves at http"},
			asks: "POST /v2/deployments/" + fakeID + "/restore {}",
		},
		"restore under another name": {args: []string{"restore", fakeID, "--name", "again"}, out: []string{"Restoring again", "again serves at http"}, asks: `/restore {"name":"again"}`},
		"restore and leave":          {args: []string{"restore", "echo", "--no-wait"}, out: []string{"slipway status echo"}},
		"restore for programs":       {args: []string{"restore", "echo", "--json"}, out: []string{"{\n", `"name": "echo"`}, errs: []string{"Restoring", "serves at"}},
		"restored, but it crashes":   {mode: "unhealthy", args: []string{"restore", "echo"}, code: 1, errs: []string{"echo is back, but does not serve: it crashed"}},
		"purge asks": {
			in: "echo\n", args: []string{"purge", "echo"},
			out: []string{"echo (" + fakeID + ") was deleted 2026-01-02 03:04:05 UTC. This removes for good\n", "bundle", "b1", "state", "Type its name to go on: Purging echo …\n", "state is gone\n", "nothing is left of it"},
		},
		"purge takes no for an answer": {in: "no\n", args: []string{"purge", "echo"}, code: 1, errs: []string{"nothing was purged"}},
		"purge with force":             {args: []string{"purge", fakeID, "--force", "--json"}, out: []string{"{\n", `"state": "done"`}, errs: []string{"Purging"}, asks: "DELETE /v1/deleted-deployments/" + fakeID},
	} {
		t.Run(name, func(t *testing.T) {
			f := deleted(t, c.mode)
			got := slipwayWith(t.Context(), c.in, c.args...)
			if got.code != c.code {
				t.Errorf("exit %d, want %d\n%s%s", got.code, c.code, got.out, got.errs)
			}
			contains(t, "output", got.out, c.out...)
			contains(t, "errors", got.errs, c.errs...)
			contains(t, "requests", strings.Join(f.asked, "\n"), c.asks)
			if strings.Contains(got.out, "instance i1 is gone") {
				t.Errorf("what had gone before is told again:\n%s", got.out)
			}
		})
	}
}

// Of two deleted deployments that had the same name, none is chosen by chance.
func TestDeletedNamesakes(t *testing.T) {
	f := deleted(t, "")
	f.have("echo")
	f.deployment.ID = strings.Replace(fakeID, "1", "2", 1)
	f.delete(httptest.NewRequest("DELETE", "/", nil), "")
	for _, verb := range []string{"restore", "purge", "receipt"} {
		got := slipwayWith(t.Context(), "", verb, "echo")
		if got.code != 1 {
			t.Errorf("%s: %+v", verb, got)
		}
		contains(t, verb, got.errs, "2 deleted deployments had the name echo; give the ID of one:", fakeID, "deleted 2026-01-02 03:04:05 UTC")
	}
}

// What is gone for good is found by its name too, unless several had it.
func TestReceiptAfterPurge(t *testing.T) {
	f := deleted(t, "")
	if got := slipwayWith(t.Context(), "", "purge", "echo", "--force"); got.code != 0 {
		t.Fatal(got)
	}
	got := slipwayWith(t.Context(), "", "receipt", "echo")
	contains(t, "receipt", got.out, fakeID, "done\n", "bundle", "b1")
	f.have("echo")
	f.deployment.ID = strings.Replace(fakeID, "1", "2", 1)
	f.delete(httptest.NewRequest("DELETE", "/", nil), "")
	got = slipwayWith(t.Context(), "", "receipt", "echo")
	contains(t, "of two", got.errs, "2 deleted deployments had the name echo; give the ID of one:", f.tombs[1].deletion.DeploymentID, fakeID)
	if got := slipwayWith(t.Context(), "", "receipt", "nobody"); got.code != 1 || !strings.Contains(got.errs, `no deleted deployment "nobody"`) {
		t.Error(got)
	}
}

// A restore waits for what is being stopped.
func TestRestoreWhileStopping(t *testing.T) {
	f := fakeControl(t, "")
	f.have("echo")
	f.revise(nil, "")
	f.delete(httptest.NewRequest("DELETE", "/", nil), "")
	got := slipwayWith(t.Context(), "", "restore", "echo")
	if got.code != 0 {
		t.Error(got)
	}
	contains(t, "output", got.out, "echo is being stopped still …\n", "instance i1 is not gone yet: it does not stop\n", "Restoring echo", "echo serves at")
}

func TestDeleteProtected(t *testing.T) {
	f := fakeControl(t, "")
	f.have("echo")
	f.deployment.DeletionProtection = true
	for _, args := range [][]string{{"delete", "echo"}, {"delete", "echo", "--force"}} {
		got := slipwayWith(t.Context(), "echo\n", args...)
		if got.code != 1 || f.deployment == nil {
			t.Errorf("%v: %+v", args, got)
		}
		contains(t, "errors", got.errs, "echo is protected from deletion; to lift that: slipway protect echo --off")
	}
	got := slipwayWith(t.Context(), "", "delete", "echo", "--dry-run")
	contains(t, "a preview", got.out, "It is protected; to lift that: slipway protect echo --off\n")
	got = slipwayWith(t.Context(), "", "status", "echo")
	contains(t, "its status", got.out, "protected", "slipway protect echo --off\n")
}

// A server of the same contract that has nothing but that.
func TestDeleteWithoutExtensions(t *testing.T) {
	f := fakeControl(t, "")
	f.have("echo")
	for _, path := range []string{"/v2/deployments/" + fakeID + "/deletion-plan", "/v1/deletions/" + fakeID} {
		f.refuse["GET "+path] = answer{404, `{"detail":"Not Found"}`}
	}
	got := slipwayWith(t.Context(), "echo\n", "delete", "echo")
	if got.code != 0 {
		t.Error(got)
	}
	contains(t, "output", got.out, "This deletes echo with its threads and all other state.\nType its name", "Deleting echo …\n", "echo is gone.\n")
}

// Ctrl-C ends the waiting, not the deletion.
func TestDeleteInterrupted(t *testing.T) {
	f := fakeControl(t, "")
	f.have("echo")
	f.refuse["GET /v1/deletions/"+fakeID] = answer{200, `{"state":"stopping","items":[],"keep":[]}`}
	ctx, cancel := context.WithCancel(t.Context())
	out := &watched{part: "Deleting echo …", then: cancel}
	var errs bytes.Buffer
	code := run(ctx, []string{"delete", "echo", "--force"}, strings.NewReader(""), out, &errs)
	if code != 1 || errs.String() != "slipway: interrupted\n" {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	contains(t, "output", out.String(), "It goes on without you. See how it goes: slipway receipt "+fakeID)
}
