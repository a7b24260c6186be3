package main

import (
	"strings"
	"testing"
)

const otherFakeID = "0198a000-0000-7000-8000-0000000000ff"

// Final snapshots are listed of all deleted deployments, or of those of a name; what
// kept none is not among them. A restore is cancelled.
func TestSnapshotVerbs(t *testing.T) {
	f := fakeControl(t, "")
	f.have("echo")
	f.refuse["GET /v1/deletions"] = answer{200, `{"offset":2,"resources":[` +
		`{"deployment_id":"` + otherFakeID + `","name":"old","state":"done","deleted_at":"2026-01-02T03:04:05Z","snapshot":"/final/old.tar.gz"},` +
		`{"deployment_id":"` + fakeID + `","name":"bare","state":"done","deleted_at":"2026-01-02T03:04:05Z","snapshot":null}]}`}
	for _, c := range []struct {
		args []string
		asks string
	}{
		{[]string{"snapshot", "list"}, "GET /v1/deletions?limit=100&offset=0 "},
		{[]string{"snapshot", "list", "old"}, "GET /v1/deletions?limit=100&name=old&offset=0 "},
	} {
		f.asked = nil
		got := slipwayWith(t.Context(), "", c.args...)
		contains(t, "list", got.out, "NAME", "OF", "SNAPSHOT\n", "old", otherFakeID, "2026-01-02 03:04:05", "/final/old.tar.gz\n")
		contains(t, "requests", strings.Join(f.asked, "\n"), c.asks)
		if got.code != 0 || strings.Contains(got.out, "bare") {
			t.Errorf("%q: %d\n%s%s", c.args, got.code, got.out, got.errs)
		}
	}
	f.refuse["DELETE /v2/deployments/"+fakeID+"/snapshot-restore"] = answer{200, `{"id":"` + fakeID + `","name":"echo","snapshot_restore":{"from":"` + otherFakeID + `","state":"failed"}}`}
	got := slipwayWith(t.Context(), "", "snapshot", "cancel", "echo")
	contains(t, "cancel", got.out, "The snapshot of "+otherFakeID+" is not restored. echo starts again on the data that it has.\n")
	f.refuse["DELETE /v2/deployments/"+fakeID+"/snapshot-restore"] = answer{409, `{"detail":"No snapshot is being restored."}`}
	if got := slipwayWith(t.Context(), "", "snapshot", "cancel", "echo"); got.code != 1 || !strings.Contains(got.errs, "No snapshot is being restored.") {
		t.Errorf("%d %s", got.code, got.errs)
	}
}
