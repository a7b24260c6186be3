package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/slipwayhq/slipway"
)

// fullDeployment has a value in every field.
func fullDeployment(w *world) slipway.Deployment {
	return slipway.Deployment{
		ID: newID[slipway.DeploymentID](), Workspace: w.workspace, Name: "full", DisplayName: "Full", Slug: "full-slug",
		Source: slipway.SourceGitHub,
		Config: slipway.SourceConfig{
			IntegrationID: "i", RepoURL: "https://example.com/r", RepoBranch: "main", TemplateID: "t", DeploymentType: "prod",
			BuildOnPush: new(true), CustomURL: "https://example.com", Resources: resources(), ListenerID: "l",
			K8sNamespace: new("ns"), HasListener: true, InstallCommand: "npm ci", BuildCommand: "npm run build",
			AgentServer: slipway.AgentServerAegra, Access: slipway.AccessPublic,
		},
		RevisionConfig: fullRevisionConfig(),
		Secrets:        newID[slipway.SecretSetID](), Project: newID[slipway.ProjectID](), Status: slipway.AwaitingDatabase,
		Latest: newID[slipway.RevisionID](), Active: newID[slipway.RevisionID](),
		Health: slipway.Health{State: slipway.Unhealthy, Reason: "<exit 1>\n", Since: at(1.5)},
		Running: slipway.Running{
			Alone: true, Woken: 4,
			Replicas: 2, Asleep: true, Since: at(1.25), Before: slipway.NewID[slipway.RevisionID](at(0)),
			Handover: &slipway.Handover{From: "a", To: "b", Phase: slipway.HandoverSnapshot, Snapshot: "s", Since: at(1)},
			Snapshot: "before", Outdated: "long before", FullSince: at(1.75),
			Restore: &slipway.SnapshotRestore{From: newID[slipway.DeploymentID](), Path: "/other.tar", Phase: slipway.RestoreFailed, Reason: "torn", Since: at(2)},
		},
		ProvidedAt: at(2.5),
		Deletion:   slipway.Deletion{At: at(3), By: "key", GoneAt: at(4), PurgeAt: at(5), Purge: true, Slug: "app", Snapshot: "/last.tar"},
		Protected:  true, DeleteProject: true, CreatedAt: at(1), UpdatedAt: at(2), Generation: 4, Observed: 3, Version: 7,
	}
}

func fullRevisionConfig() slipway.RevisionConfig {
	return slipway.RevisionConfig{
		RepoRef: "main", ConfigPath: "langgraph.json", ImageURI: "img", TarballPath: "obj", SourceDigest: "sum", SourceTree: "tree", CommitSHA: "abc",
		InstallCommand: "npm ci", BuildCommand: "npm run build", AgentServer: slipway.AgentServerAegra, Resources: resources(),
	}
}

func getDeployment(id slipway.DeploymentID) func(slipway.Tx) (slipway.Deployment, error) {
	return func(tx slipway.Tx) (slipway.Deployment, error) { return tx.Deployment(id) }
}

func testDeploymentRow(t *testing.T, w *world) {
	d := fullDeployment(w)
	filled(t, reflect.ValueOf(d), "Deployment")
	w.update(func(tx slipway.Tx) error { return tx.InsertDeployment(d) })
	equal(t, "deployment", read(w, getDeployment(d.ID)), d)
	absent(w, getDeployment("no"))

	bare := w.deployment("bare", 0)
	equal(t, "bare deployment", read(w, getDeployment(bare.ID)), bare)
	bare.Config.BuildOnPush, bare.Config.K8sNamespace = new(false), new("")
	w.update(func(tx slipway.Tx) error { return tx.UpdateDeployment(&bare) })
	equal(t, "unset is not empty", read(w, getDeployment(bare.ID)), bare)
}

func testDeploymentVersion(t *testing.T, w *world) {
	d := fullDeployment(w)
	bare := slipway.Deployment{ID: d.ID, Workspace: d.Workspace, CreatedAt: d.CreatedAt, Version: 7}
	w.update(func(tx slipway.Tx) error { return tx.InsertDeployment(bare) })
	mine, theirs := d, d
	w.update(func(tx slipway.Tx) error { return tx.UpdateDeployment(&mine) })
	equal(t, "version", mine.Version, int64(8))
	w.refused(slipway.ErrStale, func(tx slipway.Tx) error { return tx.UpdateDeployment(&theirs) })
	equal(t, "version after a refusal", theirs.Version, int64(7))
	mine.Observed = 0 // is the lease's
	equal(t, "updated deployment", read(w, getDeployment(d.ID)), mine)
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.UpdateDeployment(&slipway.Deployment{ID: "no"}) })
}

func testDeploymentNames(t *testing.T, w *world) {
	old := w.deployment("app", 0)
	slug := func(s string) func(slipway.Tx) (slipway.Deployment, error) {
		return func(tx slipway.Tx) (slipway.Deployment, error) { return tx.DeploymentBySlug(s) }
	}
	equal(t, "by slug", read(w, slug(old.Slug)), old)
	absent(w, slug(""))
	w.refused(nil, func(tx slipway.Tx) error {
		d := old
		d.ID, d.Slug = newID[slipway.DeploymentID](), "other"
		return tx.InsertDeployment(d)
	})
	w.refused(nil, func(tx slipway.Tx) error {
		d := old
		d.ID, d.Name = newID[slipway.DeploymentID](), "other"
		return tx.InsertDeployment(d)
	})
	for _, status := range []slipway.DeploymentStatus{slipway.AwaitingDelete, slipway.AwaitingFinalDelete} {
		old.Status, old.Slug = status, ""
		w.update(func(tx slipway.Tx) error { return tx.UpdateDeployment(&old) })
	}
	absent(w, slug(""))
	again := w.deployment("app", 1)
	equal(t, "by slug again", read(w, slug(again.Slug)), again)
}

func testDeploymentLists(t *testing.T, w *world) {
	elsewhere := newWorld(t, w.store)
	elsewhere.deployment("app", 9)
	exact := w.deployment("app", 1)
	prefix := w.deployment("app-two", 2)
	under := w.deployment("my_app", 3)
	dash := w.deployment("my-app", 4)
	dying := w.deployment("apple", 5)
	dying.Status = slipway.AwaitingDelete
	dash.Config.DeploymentType, dash.Status = "dev", slipway.Unused
	w.update(func(tx slipway.Tx) error {
		if err := tx.UpdateDeployment(&dying); err != nil {
			return err
		}
		return tx.UpdateDeployment(&dash)
	})
	type filter = slipway.DeploymentFilter
	type ids = []slipway.DeploymentID
	for name, c := range map[string]struct {
		f    filter
		want ids
	}{
		"all":                 {filter{}, ids{dying.ID, dash.ID, under.ID, prefix.ID, exact.ID}},
		"name":                {filter{Name: "app"}, ids{exact.ID}},
		"name of a dying one": {filter{Name: "apple"}, nil},
		"name and contains":   {filter{Name: "app", NameContains: "app"}, ids{exact.ID}},
		"name and not":        {filter{Name: "app", NameContains: "two"}, nil},
		"contains":            {filter{NameContains: "app"}, ids{exact.ID, dash.ID, under.ID, prefix.ID}},
		"contains any case":   {filter{NameContains: "APP-"}, ids{prefix.ID}},
		"contains a wildcard": {filter{NameContains: "y_a"}, ids{under.ID}},
		"contains another":    {filter{NameContains: "%"}, nil},
		"contains the escape": {filter{NameContains: "!"}, nil},
		"status":              {filter{Status: slipway.AwaitingDelete}, ids{dying.ID}},
		"status and contains": {filter{Status: slipway.Unused, NameContains: "app"}, ids{dash.ID}},
		"type":                {filter{Type: "dev"}, ids{dash.ID}},
		"type and name":       {filter{Type: "dev", Name: "app"}, nil},
		"ids":                 {filter{IDs: ids{exact.ID, "no", under.ID, elsewhere.deployment("b", 1).ID}}, ids{under.ID, exact.ID}},
		"ids and contains":    {filter{IDs: ids{exact.ID, under.ID}, NameContains: "my"}, ids{under.ID}},
		"ids and name":        {filter{IDs: ids{under.ID}, Name: "app"}, nil},
		"reconciled":          {filter{Reconciled: new(true)}, nil},
		"not reconciled":      {filter{Reconciled: new(false), NameContains: "two"}, ids{prefix.ID}},
		"named, reconciled":   {filter{Reconciled: new(true), Name: "app"}, nil},
		"strange id":          {filter{IDs: ids{"%", "\x00", "_"}}, nil},
	} {
		c.f.Workspace = w.workspace
		equal(t, name, w.list(c.f), c.want)
	}
	count := func(kind string) int {
		return read(w, func(tx slipway.Tx) (int, error) { return tx.CountDeployments(w.workspace, kind) })
	}
	equal(t, "of a type", []int{count("dev"), count("prod"), count("")}, []int{1, 0, 3})
}

// list returns the ids of a list.
func (w *world) list(f slipway.DeploymentFilter) (ids []slipway.DeploymentID) {
	w.Helper()
	for _, v := range read(w, func(tx slipway.Tx) ([]slipway.DeploymentView, error) { return tx.ListDeployments(f) }) {
		ids = append(ids, v.ID)
	}
	return ids
}

func deploymentIDs(list []slipway.Deployment) (ids []slipway.DeploymentID) {
	for _, d := range list {
		ids = append(ids, d.ID)
	}
	return ids
}

// Some were made at the same moment: their ids decide, on every page alike.
func testDeploymentPages(t *testing.T, w *world) {
	const n = 7
	var newest []slipway.DeploymentID
	for i := range n {
		newest = append(newest, w.deployment(fmt.Sprintf("app-%d", i), float64(i/2)).ID)
	}
	slices.Sort(newest)
	slices.Reverse(newest)
	for _, contains := range []string{"", "app"} {
		var pages []slipway.DeploymentID
		for offset := 0; offset < n+3; offset += 3 {
			f := slipway.DeploymentFilter{Workspace: w.workspace, NameContains: contains, Limit: 3, Offset: offset}
			pages = append(pages, w.list(f)...)
		}
		equal(t, "pages", pages, newest)
	}
	slices.Reverse(newest)
	oldest := read(w, func(tx slipway.Tx) ([]slipway.Deployment, error) { return tx.DeploymentsInStatus(slipway.Ready, 3) })
	equal(t, "oldest in status", deploymentIDs(oldest), newest[:3])
	after := read(w, func(tx slipway.Tx) ([]slipway.Deployment, error) { return tx.DeploymentsAfter(newest[1], 3) })
	equal(t, "after an id", deploymentIDs(after), newest[2:5])
	first := read(w, func(tx slipway.Tx) ([]slipway.Deployment, error) { return tx.DeploymentsAfter("", 0) })
	equal(t, "all by id", deploymentIDs(first), newest)
}

func resources() *slipway.Resources {
	share := slipway.Share{CPU: new(0.5), CPULimit: new(1.5), MemoryMB: new(64), MemoryLimitMB: new(128), MinScale: new(1), MaxScale: new(3)}
	return &slipway.Resources{
		Server: share, Queue: share, Core: share, Orchestrator: share, Executor: share, Redis: share, Database: share,
		DatabaseStorageGi: new(10), DatabaseMaxConnections: new(20), Pod: `{"labels":{"a":"b"}}`,
	}
}
