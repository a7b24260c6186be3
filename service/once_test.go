package service_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
	"github.com/slipwayhq/slipway/service"
)

func (p *plane) keyed(key, hash string) context.Context {
	return slipway.WithRequestKey(p.t.Context(), slipway.RequestKey{Value: key, Hash: hash})
}

// Each use case that makes something, asked again with the key of its request,
// answers with what it made and makes nothing more.
func TestAskedAgain(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	built := p.push(d.ID)
	p.deploy(p.acquire(d.ID), built.ID)
	object := p.upload(d.ID, "x")
	listener, err := p.CreateListener(t.Context(), p.who, slipway.Listener{ComputeType: "k8s", ComputeID: "first"})
	must(t, err)
	latest := func(v slipway.DeploymentView, err error) (string, error) { return string(v.Latest), err }
	for name, ask := range map[string]func(context.Context) (string, error){
		"create": func(ctx context.Context) (string, error) {
			v, err := p.Create(ctx, p.who, slipway.NewDeployment{Name: "new", Source: slipway.SourceInternalSource})
			return string(v.ID), err
		},
		"patch": func(ctx context.Context) (string, error) {
			return latest(p.Patch(ctx, p.who, d.ID, slipway.Change{TarballPath: &object}))
		},
		"revise": func(ctx context.Context) (string, error) {
			v, err := p.Revise(ctx, p.who, d.ID, slipway.Change{})
			return string(v.ID), err
		},
		"redeploy": func(ctx context.Context) (string, error) {
			return latest(p.Redeploy(ctx, p.who, d.ID, built.ID))
		},
		"listener": func(ctx context.Context) (string, error) {
			l, err := p.CreateListener(ctx, p.who, slipway.Listener{ComputeType: "k8s", ComputeID: "cluster"})
			return string(l.ID), err
		},
		"listener's version": func(ctx context.Context) (string, error) {
			l, err := p.PatchListener(ctx, p.who, listener.ID, slipway.ListenerChange{})
			return l.UpdatedAt.String(), err
		},
		"upload": func(ctx context.Context) (string, error) {
			u, err := p.NewUpload(ctx, p.who, d.ID)
			return u.Object, err
		},
	} {
		first, err := ask(p.keyed(name, "hash"))
		must(t, err)
		p.pass(time.Hour)
		before := p.statuses(d.ID)
		again, err := ask(p.keyed(name, "hash"))
		if err != nil || again != first || p.statuses(d.ID) != before {
			t.Errorf("%s: %s, %v, want %s; revisions %s, were %s", name, again, err, first, p.statuses(d.ID), before)
		}
		if _, err := ask(p.keyed(name, "another")); slipway.CodeOf(err) != slipway.CodeConflict || !strings.Contains(err.Error(), "used for another request") {
			t.Errorf("%s with the key of another request: %v", name, err)
		}
	}
}

func TestInterruptedAgain(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	r := p.push(d.ID)
	for range 2 {
		must(t, p.Interrupt(p.keyed("stop", "h"), p.who, d.ID, r.ID))
	}
	if err := p.Interrupt(t.Context(), p.who, d.ID, r.ID); slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("interrupted without a key: %v", err)
	}
}

// The receipt is one workspace's.
func TestKeysOfWorkspacesDoNotMeet(t *testing.T) {
	p := newPlane(t)
	other := slipway.Principal{Workspace: slipway.NewID[slipway.WorkspaceID](p.clock())}
	must(t, p.store.Update(t.Context(), func(tx slipway.Tx) error { return tx.InsertWorkspace(slipway.Workspace{ID: other.Workspace}) }))
	n := slipway.NewDeployment{Name: "app", Source: slipway.SourceInternalSource}
	mine, err := p.Create(p.keyed("k", "h"), p.who, n)
	must(t, err)
	theirs, err := p.Create(p.keyed("k", "h"), other, n)
	if err != nil || theirs.ID == mine.ID {
		t.Errorf("another workspace with the same key: %s, %v", theirs.ID, err)
	}
}

// What was refused is not remembered: with its cause gone it goes through.
func TestRefusedIsNotRemembered(t *testing.T) {
	p := newPlane(t)
	taken := p.create("app")
	n := slipway.NewDeployment{Name: "app", Source: slipway.SourceInternalSource}
	if _, err := p.Create(p.keyed("k", "h"), p.who, n); slipway.CodeOf(err) != slipway.CodeConflict {
		t.Fatalf("a taken name: %v", err)
	}
	must(t, p.Delete(t.Context(), p.who, taken.ID, slipway.DeleteOptions{}))
	if d, err := p.Create(p.keyed("k", "h"), p.who, n); err != nil || d.ID == taken.ID {
		t.Errorf("once the name is free: %s, %v", d.ID, err)
	}
}

func TestWhatWasMadeIsShownAsItIs(t *testing.T) {
	p := newPlane(t)
	n := slipway.NewDeployment{Name: "app", Source: slipway.SourceInternalSource}
	d, err := p.Create(p.keyed("k", "h"), p.who, n)
	must(t, err)
	_, err = p.Patch(t.Context(), p.who, d.ID, slipway.Change{DisplayName: new("App")})
	must(t, err)
	if again, err := p.Create(p.keyed("k", "h"), p.who, n); err != nil || again.ID != d.ID || again.DisplayName != "App" {
		t.Errorf("after a change: %+v, %v", again, err)
	}
	p.upload(d.ID, "source")
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	if again, err := p.Create(p.keyed("k", "h"), p.who, n); err != nil || !again.Deleting() {
		t.Errorf("while it is deleted: %+v, %v", again, err)
	}
	p.coordinate()
	testsignal.Until(t, "the end of the deletion", func() bool {
		_, err := p.Get(t.Context(), p.who, d.ID)
		return slipway.CodeOf(err) == slipway.CodeNotFound
	})
	if _, err := p.Create(p.keyed("k", "h"), p.who, n); slipway.CodeOf(err) != slipway.CodeConflict || !strings.Contains(err.Error(), "deleted since") {
		t.Errorf("once it is gone: %v", err)
	}
}

// An address of an upload that is handed out again is good for its whole time.
func TestUploadAskedForAgainIsGood(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	_, err := p.NewUpload(p.keyed("k", "h"), p.who, d.ID)
	must(t, err)
	p.pass(time.Hour)
	u, err := p.NewUpload(p.keyed("k", "h"), p.who, d.ID)
	must(t, err)
	if !u.ExpiresAt.After(p.clock()) {
		t.Errorf("it expired at %s, now is %s", u.ExpiresAt, p.clock())
	}
	must(t, p.ReceiveUpload(t.Context(), u.ID, strings.NewReader("x")))
}

func TestAskedManyTimesAtOnce(t *testing.T) {
	p := newPlane(t)
	var g sync.WaitGroup
	ids := make(chan slipway.DeploymentID, 10)
	for range cap(ids) {
		g.Go(func() {
			d, err := p.Create(p.keyed("k", "h"), p.who, slipway.NewDeployment{Name: "app", Source: slipway.SourceInternalSource})
			if err != nil {
				t.Error(err)
			}
			ids <- d.ID
		})
	}
	g.Wait()
	close(ids)
	first := <-ids
	for id := range ids {
		if id != first {
			t.Errorf("%s and %s were made", first, id)
		}
	}
}

// dying is a store whose process dies as soon as the next update is durable.
type dying struct{ slipway.Store }

var errDied = fmt.Errorf("the process died")

func (d dying) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	if err := d.Store.Update(ctx, fn); err != nil {
		return err
	}
	return errDied
}

// The answer never reached the client, since the server died between commit and
// answer. The next server gives the answer, and makes nothing more.
func TestAskedAgainAfterADeath(t *testing.T) {
	p := newPlane(t)
	n := slipway.NewDeployment{Name: "app", Source: slipway.SourceInternalSource}
	doomed := service.New(dying{p.store}, nil, nil, nil, service.Config{Now: p.clock, URL: func(string) string { return "" }})
	if _, err := doomed.Create(p.keyed("k", "h"), p.who, n); err == nil {
		t.Fatal("the server did not die")
	}
	next := service.New(p.store, nil, nil, nil, service.Config{Now: p.clock, URL: func(string) string { return "" }})
	all, err := next.List(t.Context(), p.who, slipway.DeploymentFilter{})
	must(t, err)
	d, err := next.Create(p.keyed("k", "h"), p.who, n)
	if err != nil || len(all) != 1 || d.ID != all[0].ID {
		t.Errorf("the next server has %d deployments and answers %s, %v", len(all), d.ID, err)
	}
}

func TestReceiptsAreSwept(t *testing.T) {
	p := newPlane(t)
	n := slipway.NewDeployment{Name: "app", Source: slipway.SourceInternalSource}
	old, err := p.Create(p.keyed("old", "h"), p.who, n)
	must(t, err)
	p.pass(slipway.ReceiptsFor - time.Second)
	must(t, p.Delete(t.Context(), p.who, old.ID, slipway.DeleteOptions{}))
	recent, err := p.Create(p.keyed("recent", "h"), p.who, n)
	must(t, err)
	p.pass(2 * time.Second)
	p.coordinate()
	receipt := func(key string) (r slipway.Receipt) {
		abort := fmt.Errorf("only looked")
		_ = p.store.Update(t.Context(), func(tx slipway.Tx) (err error) {
			r, err = tx.ClaimReceipt(slipway.Receipt{Workspace: p.who.Workspace, Key: key})
			must(t, err)
			return abort
		})
		return r
	}
	testsignal.Until(t, "the end of the old receipt", func() bool { return receipt("old").Resource == "" })
	if r := receipt("recent"); r.Resource != string(recent.ID) {
		t.Errorf("the recent one: %+v", r)
	}
}

// A change of a deployment as its sender has read it, and of no other.
func TestChangedMeanwhile(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	read := slipway.WithTags(t.Context(), []string{d.Tag()})
	after, err := p.Patch(read, p.who, d.ID, slipway.Change{DisplayName: new("App")})
	must(t, err)
	if after.Tag() == d.Tag() {
		t.Error("the change left the tag as it was")
	}
	if _, err := p.Patch(read, p.who, d.ID, slipway.Change{DisplayName: new("Other")}); slipway.CodeOf(err) != slipway.CodeStale {
		t.Errorf("patched by an old tag: %v", err)
	}
	if err := p.Delete(read, p.who, d.ID, slipway.DeleteOptions{}); slipway.CodeOf(err) != slipway.CodeStale {
		t.Errorf("deleted by an old tag: %v", err)
	}
	if now, err := p.Get(t.Context(), p.who, d.ID); err != nil || now.DisplayName != "App" || now.Deleting() {
		t.Errorf("afterwards: %+v, %v", now, err)
	}
	must(t, p.Delete(slipway.WithTags(t.Context(), []string{"x", after.Tag()}), p.who, d.ID, slipway.DeleteOptions{}))
}
