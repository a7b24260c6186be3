package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
)

// What a rollback goes back to, by what became of each revision, oldest first.
func TestRollbackTarget(t *testing.T) {
	for name, c := range map[string]struct {
		was    []string // status; "bad" was deployed and failed, "back" was made in its place
		active int
		want   int // 0 for none
	}{
		"the one before":                {[]string{"DEPLOYED", "DEPLOYED"}, 2, 1},
		"not what never served":         {[]string{"DEPLOYED", "BUILD_FAILED", "SKIPPED", "DEPLOYED", "DEPLOY_FAILED"}, 4, 1},
		"not what failed afterwards":    {[]string{"DEPLOYED", "bad", "DEPLOYED"}, 3, 1},
		"back and forth":                {[]string{"DEPLOYED", "DEPLOYED", "DEPLOYED"}, 3, 2},
		"there is none":                 {[]string{"DEPLOYED"}, 1, 0},
		"nothing serves":                {[]string{"BUILD_FAILED", "SKIPPED"}, 0, 0},
		"not the one that it is a copy": {[]string{"DEPLOYED", "DEPLOYED", "bad", "back"}, 4, 1},
		"nothing before the copy":       {[]string{"DEPLOYED", "bad", "back"}, 3, 0},
		"one is on its way":             {[]string{"DEPLOYED", "DEPLOYED", "BUILDING"}, 2, 1},
	} {
		d := wire.Deployment{Name: "echo"}
		var all []wire.Revision
		for n, status := range c.was {
			r := wire.Revision{ID: fmt.Sprint("r", n+1), Status: status}
			switch status {
			case "bad":
				r.Status, r.Failure = "DEPLOYED", &wire.RevisionFailure{Code: "crash_loop"}
			case "back":
				r.Status, r.ReturnedFrom = "DEPLOYED", new(fmt.Sprint("r", n))
			}
			all = append([]wire.Revision{r}, all...)
		}
		if c.active > 0 {
			d.ActiveRevisionID = new(fmt.Sprint("r", c.active))
		}
		got, err := rollbackTarget(d, all, "")
		if want := fmt.Sprint("r", c.want); c.want == 0 && err == nil || c.want > 0 && (err != nil || got.ID != want) {
			t.Errorf("%s: %s, %v, want %s", name, got.ID, err, want)
		}
	}
}

func TestRollback(t *testing.T) {
	for name, c := range map[string]struct {
		mode      string
		args      []string
		code      int
		out, errs []string
		redeploys string // the revision, "" for none
	}{
		"waits": {
			"", nil, 0,
			[]string{"Rolling echo back from " + fakeRevision + "2 to " + fakeRevision + "1 of 2026-01-02 03:04:05 UTC", "Revision " + fakeRevision + "3:", "3.0s DEPLOYED", "echo serves at"},
			nil, "1",
		},
		"leaves":         {"", []string{"--no-wait"}, 0, []string{"Rolling echo back", "slipway status echo"}, nil, "1"},
		"for programs":   {"", []string{"--json"}, 0, []string{"{\n", `"name": "echo"`}, []string{"Rolling echo back", "DEPLOYED"}, "1"},
		"to a named one": {"", []string{fakeRevision + "2"}, 0, []string{"to " + fakeRevision + "2"}, nil, "2"},
		"it fails":       {"DEPLOY_FAILED", nil, 1, []string{"DEPLOY_FAILED"}, []string{"DEPLOY_FAILED: npm install exited 1"}, "1"},
		"no such one":    {"", []string{"other"}, 1, nil, []string{"echo has no revision other; see slipway revisions echo"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := fakeControl(t, "")
			f.have("echo")
			f.revise(nil, "")
			f.revise(nil, "")
			f.mode = c.mode
			got := slipwayWith(t.Context(), "", append([]string{"rollback", "echo"}, c.args...)...)
			if got.code != c.code {
				t.Errorf("exit %d, want %d\n%s%s", got.code, c.code, got.out, got.errs)
			}
			contains(t, "output", got.out, c.out...)
			contains(t, "errors", got.errs, c.errs...)
			asked := strings.Join(f.asked, "\n")
			if c.redeploys == "" == strings.Contains(asked, "/redeploy") || c.redeploys != "" && !strings.Contains(asked, fakeRevision+c.redeploys+"/redeploy") {
				t.Errorf("asked:\n%s", asked)
			}
		})
	}
	f := fakeControl(t, "")
	f.have("echo")
	f.revise(nil, "")
	f.refuse["POST /v2/deployments/"+fakeID+"/revisions/"+fakeRevision+"1/redeploy"] = answer{400, `{"detail":"It has been removed since. Deploy its source again."}`}
	if got := slipwayWith(t.Context(), "", "rollback", "echo", fakeRevision+"1"); got.code != 1 || !strings.Contains(got.errs, "Deploy its source again") {
		t.Errorf("what is not kept: %+v", got)
	}
}
