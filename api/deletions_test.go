package api_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// deletionAsked is what the control was asked about deletions.
type deletionAsked struct {
	options    slipway.DeleteOptions
	id         slipway.DeploymentID
	name       string
	limit, off int
}

// receipt is of a deletion of which one thing is not gone yet.
var receipt = slipway.DeletionReceipt{
	Deployment: someID, Workspace: tenantID, Name: "app", State: slipway.DeletionStopping, At: at, By: "k", ByName: "of the CI", PurgeAt: at.Add(time.Hour),
	Items: []slipway.Item{
		{Kind: slipway.ItemRoute, Ref: "app", CreatedAt: at, RemovedAt: at, VerifiedAt: at},
		{Kind: slipway.ItemInstance, Ref: "i", CreatedAt: at, Attempts: 2, LastError: "busy"},
	},
	Keep: []slipway.KeptItem{{Kind: slipway.ItemProject, Ref: "p", Why: "it is kept"}},
}

func (c *control) Leftovers(slipway.Principal) ([]slipway.Leftover, error) {
	return []slipway.Leftover{
		{Thing: slipway.Thing{Kind: slipway.ItemState, Ref: "s", Deployment: someID, What: "a folder"}, FoundAt: at, Kept: "it is new"},
		{Thing: slipway.Thing{Kind: slipway.ItemBundle, Ref: "b", What: "another", Since: at}, FoundAt: at},
	}, c.err
}

func (c *control) DeletionPlan(_ context.Context, _ slipway.Principal, id slipway.DeploymentID) (slipway.DeletionPlan, error) {
	c.deletions.id = id
	d := view.Deployment
	d.Protected = true
	return slipway.DeletionPlan{
		Deployment: d, KeptFor: 90 * time.Second, Snapshot: true,
		Remove: []slipway.Item{{Kind: slipway.ItemRoute, Ref: "app", CreatedAt: at}},
		Keep:   []slipway.KeptItem{{Kind: slipway.ItemProject, Ref: "p", Since: at, Why: "it is kept"}},
	}, c.err
}

func (c *control) DeletionReceipt(_ context.Context, _ slipway.Principal, id slipway.DeploymentID) (slipway.DeletionReceipt, error) {
	c.deletions.id = id
	return receipt, c.err
}

func (c *control) DeletionReceipts(_ context.Context, _ slipway.Principal, name string, limit, offset int) ([]slipway.DeletionReceipt, error) {
	c.deletions.name, c.deletions.limit, c.deletions.off = name, limit, offset
	return []slipway.DeletionReceipt{receipt}, c.err
}

func (c *control) ListDeleted(_ context.Context, _ slipway.Principal, limit, offset int) ([]slipway.DeletionReceipt, error) {
	c.deletions.limit, c.deletions.off = limit, offset
	gone := slipway.DeletionReceipt{Deployment: otherID, Workspace: tenantID, Name: "old", State: slipway.DeletionKept, At: at, GoneAt: at, PurgeAt: at}
	return []slipway.DeletionReceipt{receipt, gone}, c.err
}

func (c *control) Restore(_ context.Context, _ slipway.Principal, id slipway.DeploymentID, name string) (slipway.DeploymentView, error) {
	c.deletions.id, c.deletions.name = id, name
	return view, c.err
}

func (c *control) Purge(_ context.Context, _ slipway.Principal, id slipway.DeploymentID) error {
	c.deletions.id = id
	return c.err
}

func TestDeletionsOnTheWire(t *testing.T) {
	const (
		moment      = `"2026-01-02T03:04:05.000006Z"`
		kept        = `{"kind":"tracing_project","reason":"it is kept","ref":"p","since":`
		planned     = `{"kind":"route","ref":"app","since":` + moment + `}`
		planHead    = `{"deployment_id":"` + someID + `","name":"app","protected":true,`
		older       = `{"id":"` + otherID + `","name":"old","tenant_id":"` + tenantID + `","state":"kept","deleted_at":` + moment + `,"deleted_by":null,"deleted_by_name":null,"gone_at":` + moment + `,"purge_at":` + moment + `}`
		ofOne       = `"name":"app","tenant_id":"` + tenantID + `","state":"stopping","deleted_at":` + moment + `,"deleted_by":"k","deleted_by_name":"of the CI","gone_at":null,"purge_at":"2026-01-02T04:04:05.000006Z"`
		tombstone   = `"id":"` + someID + `",` + ofOne
		receiptText = `{"deployment_id":"` + someID + `",` + ofOne + `,"done_at":null,"snapshot":null,"keep":[` + kept + `null}],"items":[` +
			`{"kind":"route","ref":"app","since":` + moment + `,"removed_at":` + moment + `,"verified_at":` + moment + `,"attempts":0,"error":null},` +
			`{"kind":"instance","ref":"i","since":` + moment + `,"removed_at":null,"verified_at":null,"attempts":2,"error":"busy"}]}`
	)
	for _, r := range []struct {
		method, path, body string
		status             int
		answer             string
		want               deletionAsked
	}{
		{
			"GET", "/v2/deployments/" + someID + "/deletion-plan", "", 200,
			planHead + `"kept_for":90,"final_snapshot":true,"remove":[` + planned + `],"keep":[` + kept + moment + `}]}`,
			deletionAsked{id: someID},
		},
		{
			"GET", "/v2/deployments/" + someID + "/deletion-plan?delete_tracing_project=yes&now=1", "", 200,
			planHead + `"kept_for":0,"final_snapshot":true,"remove":[` + planned + `,{"kind":"tracing_project","ref":"p","since":` + moment + `}],"keep":[]}`,
			deletionAsked{id: someID},
		},
		{
			"GET", "/v1/deleted-deployments?limit=5&offset=2", "", 200,
			`{"offset":4,"resources":[{` + tombstone + `},` + older + `]}`,
			deletionAsked{limit: 5, off: 2},
		},
		{
			"GET", "/v1/deletions/" + someID, "", 200, receiptText, deletionAsked{id: someID},
		},
		{
			"GET", "/v1/deletions?name=app&limit=5&offset=2", "", 200,
			`{"offset":3,"resources":[` + receiptText + `]}`,
			deletionAsked{name: "app", limit: 5, off: 2},
		},
		{"GET", "/v1/deletions", "", 200, `{"offset":1,"resources":[` + receiptText + `]}`, deletionAsked{limit: 20}},
		{
			"GET", "/v1/leftovers", "", 200,
			`{"resources":[{"kind":"state","ref":"s","deployment_id":"` + someID + `","what":"a folder","since":null,"found_at":` + moment + `,"kept":"it is new"},` +
				`{"kind":"bundle","ref":"b","deployment_id":null,"what":"another","since":` + moment + `,"found_at":` + moment + `,"kept":null}]}`,
			deletionAsked{},
		},
		{"DELETE", "/v1/deleted-deployments/" + someID, "", 204, "", deletionAsked{id: someID}},
		{"DELETE", "/v2/deployments/" + someID, "", 204, "", deletionAsked{}},
		{"DELETE", "/v2/deployments/" + someID + "?now=true", "", 204, "", deletionAsked{options: slipway.DeleteOptions{Now: true}}},
		{"DELETE", "/v2/deployments/" + someID + "?now=off&delete_tracing_project=t", "", 204, "", deletionAsked{options: slipway.DeleteOptions{TracingProject: true}}},
	} {
		c, s := serve(t)
		status, _, body := ask(t, s, r.method, r.path, "all", r.body)
		if status != r.status || !sameJSON(t, body, r.answer) || !reflect.DeepEqual(c.deletions, r.want) {
			t.Errorf("%s %s: %d %s\nasked %+v", r.method, r.path, status, body, c.deletions)
		}
	}
}

func TestRestoreOnTheWire(t *testing.T) {
	for body, want := range map[string]string{"": "", "null": "", "{}": "", `{"name":null}`: "", `{"name":"other"}`: "other"} {
		c, s := serve(t)
		status, header, got := ask(t, s, "POST", "/v2/deployments/"+someID+"/restore", "all", body)
		if status != 200 || header.Get("ETag") == "" || !strings.Contains(got, `"id":"`+someID+`"`) || c.deletions.id != someID || c.deletions.name != want {
			t.Errorf("%s: %d %s, asked %+v", body, status, got, c.deletions)
		}
	}
	_, s := serve(t)
	for _, body := range []string{`{`, `[]`, `{"name":7}`} {
		if status, _, got := ask(t, s, "POST", "/v2/deployments/"+someID+"/restore", "all", body); status != 422 {
			t.Errorf("%s: %d %s", body, status, got)
		}
	}
}

// What is no truth value is refused as pydantic does, and nothing is deleted.
func TestBadDeleteOptions(t *testing.T) {
	for _, name := range []string{"now", "delete_tracing_project", "force"} {
		c, s := serve(t)
		c.deletions.options.Now = true // as it was left
		status, _, body := ask(t, s, "DELETE", "/v2/deployments/"+someID+"?"+name+"=perhaps", "all", "")
		want := `{"detail":[{"type":"bool_parsing","loc":["query","` + name + `"],"msg":"Input should be a valid boolean, unable to interpret input","input":"perhaps"}]}`
		if status != 422 || !sameJSON(t, body, want) || !c.deletions.options.Now {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

func TestProtectionOnTheWire(t *testing.T) {
	c, s := serve(t)
	for body, want := range map[string]*bool{`{}`: nil, `{"deletion_protection":null}`: nil, `{"deletion_protection":true}`: new(true), `{"deletion_protection":"no"}`: new(false)} {
		status, _, got := ask(t, s, "PATCH", "/v2/deployments/"+someID, "all", body)
		if status != 200 || !reflect.DeepEqual(c.change.Protected, want) || !strings.Contains(got, `"deletion_protection":false`) {
			t.Errorf("%s: %d %s, asked %v", body, status, got, c.change.Protected)
		}
	}
	shown := view
	shown.Protected = true
	c.view = &shown
	if _, _, body := ask(t, s, "GET", "/v2/deployments/"+someID, "all", ""); !strings.Contains(body, `"deletion_protection":true`) {
		t.Errorf("a protected one: %s", body)
	}
	if status, _, body := ask(t, s, "PATCH", "/v2/deployments/"+someID, "all", `{"deletion_protection":"perhaps"}`); status != 422 {
		t.Errorf("neither: %d %s", status, body)
	}
}
