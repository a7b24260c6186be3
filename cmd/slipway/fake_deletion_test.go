package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
)

// fakeTomb is what the fake server keeps of its deployment when that is deleted.
type fakeTomb struct {
	deployment *wire.Deployment
	deletion   wire.Deletion
	looks      int // at the deletion since it was asked for
}

func (f *fakeServer) plan(r *http.Request, _ string) (int, any) {
	d, since := f.deployment, f.deployment.CreatedAt
	p := wire.DeletionPlan{
		DeploymentID: d.ID, Name: d.Name, Protected: d.DeletionProtection, KeptFor: 72 * 60 * 60, FinalSnapshot: true,
		Remove: []wire.PlannedItem{{Kind: "route", Ref: d.ID, Since: since}, {Kind: "instance", Ref: "i1", Since: since}},
		Keep:   []wire.KeptItem{{Kind: "tracing_project", Ref: "p1", Since: &since, Reason: "It holds traces."}},
	}
	if r.URL.Query().Get("now") == "true" {
		p.KeptFor = 0
	}
	if r.URL.Query().Get("delete_tracing_project") == "true" {
		p.Keep, p.Remove = []wire.KeptItem{}, append(p.Remove, wire.PlannedItem{Kind: "tracing_project", Ref: "p1", Since: since})
	}
	return 200, p
}

func (f *fakeServer) delete(r *http.Request, _ string) (int, any) {
	d := f.deployment
	f.deployment = nil
	f.tombs = append(f.tombs, &fakeTomb{deployment: d, deletion: wire.Deletion{
		DeploymentID: d.ID, Name: d.Name, State: "stopping", DeletedAt: d.CreatedAt, DeletedBy: new("key-1"), DeletedByName: new("of the CI"),
		PurgeAt: wire.NewTime(d.CreatedAt.Add(72 * time.Hour)),
		Items: []wire.DeletionItem{
			{Kind: "instance", Ref: "i0", Since: d.CreatedAt, RemovedAt: new(wire.NewTime(d.CreatedAt.Add(-time.Hour)))}, // long ago
			{Kind: "instance", Ref: "i1", Since: d.CreatedAt}, {Kind: "bundle", Ref: "b1", Since: d.CreatedAt}, {Kind: "state", Ref: d.ID, Since: d.CreatedAt},
		},
		Keep: []wire.KeptItem{{Kind: "tracing_project", Ref: "p1", Reason: "It holds traces."}},
	}})
	if r.URL.Query().Get("now") == "true" {
		f.tombs[len(f.tombs)-1].purge()
	}
	return 204, nil
}

func (t *fakeTomb) purge() {
	t.deletion.State, t.deletion.PurgeAt, t.looks = "purging", t.deletion.DeletedAt, 0
}

// step brings the deletion further, as somebody looks at it: first nothing
// helps, then the instance goes, and in the end everything that is to go.
func (t *fakeTomb) step() {
	t.looks++
	d := &t.deletion
	at := new(wire.NewTime(d.DeletedAt.Add(time.Duration(t.looks) * time.Second)))
	switch instance := &d.Items[1]; {
	case t.looks == 1 && d.GoneAt == nil:
		instance.Attempts, instance.Error = 1, new("it does not stop")
	case d.State == "stopping":
		instance.RemovedAt, instance.VerifiedAt, d.GoneAt, d.State = at, at, at, "kept"
	case d.State == "purging":
		for i := range d.Items {
			if item := &d.Items[i]; item.RemovedAt == nil {
				item.RemovedAt, item.VerifiedAt = at, at
			}
		}
		d.GoneAt, d.DoneAt, d.State = at, at, "done"
	}
}

// tomb finds what the fake keeps of an id, nil for nothing.
func (f *fakeServer) tomb(r *http.Request) *fakeTomb {
	for _, t := range f.tombs {
		if t.deletion.DeploymentID == r.PathValue("id") {
			return t
		}
	}
	return nil
}

const fakeNotFound = `{"detail":"Deployment ID not found."}`

func (f *fakeServer) getDeletion(r *http.Request, _ string) (int, any) {
	t := f.tomb(r)
	if t == nil {
		return 404, fakeNotFound
	}
	t.step()
	return 200, t.deletion
}

func (f *fakeServer) listDeleted(*http.Request, string) (int, any) {
	list := wire.DeletedDeploymentsList{Resources: []wire.DeletedDeployment{}}
	for _, t := range f.tombs {
		if d := t.deletion; d.State != "done" {
			list.Resources = append(list.Resources, wire.DeletedDeployment{
				ID: d.DeploymentID, Name: d.Name, State: d.State, DeletedAt: d.DeletedAt, DeletedBy: d.DeletedBy, DeletedByName: d.DeletedByName, PurgeAt: d.PurgeAt,
			})
		}
	}
	return 200, list
}

func (f *fakeServer) listDeletions(r *http.Request, _ string) (int, any) {
	list := wire.DeletionsList{Resources: []wire.Deletion{}}
	for _, t := range f.tombs {
		if t.deletion.State == "done" && t.deletion.Name == r.URL.Query().Get("name") {
			list.Resources = append(list.Resources, t.deletion)
		}
	}
	return 200, list
}

// listLeftovers has one while there is a deleted deployment.
func (f *fakeServer) listLeftovers(*http.Request, string) (int, any) {
	list := wire.LeftoversList{Resources: []wire.Leftover{}}
	for _, t := range f.tombs {
		list.Resources = append(list.Resources, wire.Leftover{
			Kind: "state", What: "/data/x", DeploymentID: &t.deletion.DeploymentID, FoundAt: t.deletion.DeletedAt, Kept: new("it is new"),
		})
	}
	return 200, list
}

func (f *fakeServer) purge(r *http.Request, _ string) (int, any) {
	t := f.tomb(r)
	if t == nil {
		return 404, fakeNotFound
	}
	t.purge()
	return 204, nil
}

// restore brings the deployment back, serving at once unless the mode is another
// state of health.
func (f *fakeServer) restore(r *http.Request, body string) (int, any) {
	var in wire.DeploymentRestoreRequest
	_ = json.Unmarshal([]byte(body), &in)
	t := f.tomb(r)
	f.deployment, f.tombs = t.deployment, nil
	if in.Name != nil {
		f.deployment.Name = *in.Name
	}
	if f.deployment.ActiveRevisionID != nil {
		f.deployment.Health = &wire.DeploymentHealth{State: first(f.mode, "healthy")}
		if f.mode != "" {
			f.deployment.Health.Reason = new("it crashed")
		}
	}
	return 200, f.deployment
}
