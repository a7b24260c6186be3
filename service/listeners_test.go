package service_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

func (p *plane) listener(computeID string, namespaces ...string) slipway.Listener {
	p.t.Helper()
	p.pass(time.Second)
	l, err := p.CreateListener(p.t.Context(), p.who, slipway.Listener{ComputeType: "k8s", ComputeID: computeID, Namespaces: namespaces})
	must(p.t, err)
	return l
}

// placed asks for a deployment of an image on a listener.
func placed(name, listener string, namespace *string) slipway.NewDeployment {
	return slipway.NewDeployment{
		Name: name, Source: slipway.SourceExternalDocker, Revision: slipway.RevisionConfig{ImageURI: "example.com/app:1"},
		Config: slipway.SourceConfig{ListenerID: listener, K8sNamespace: namespace, HasListener: namespace != nil},
	}
}

func refusal(t *testing.T, what string, err error, code slipway.Code, text string) {
	t.Helper()
	if slipway.CodeOf(err) != code || err.Error() != text {
		t.Errorf("%s: %v, want %s: %s", what, err, code, text)
	}
}

func TestLifeOfAListener(t *testing.T) {
	p := newPlane(t)
	ctx := t.Context()
	l := p.listener("cluster", "one", "two")
	if l.Workspace != p.who.Workspace || l.Version != nil || !l.CreatedAt.Equal(p.clock()) || !l.UpdatedAt.Equal(p.clock()) {
		t.Errorf("created %+v", l)
	}
	got, err := p.GetListener(ctx, p.who, l.ID)
	must(t, err)
	if fmt.Sprint(got) != fmt.Sprint(l) {
		t.Errorf("read %+v, created %+v", got, l)
	}
	_, err = p.CreateListener(ctx, p.who, slipway.Listener{ComputeType: "k8s", ComputeID: "cluster"})
	refusal(t, "the same cluster", err, slipway.CodeConflict,
		fmt.Sprintf("Listener for LangSmith workspace ID '%s' and compute ID 'cluster' already exists.", p.who.Workspace))
	for _, bad := range []string{"", "a\x00", strings.Repeat("x", 256)} {
		if _, err := p.CreateListener(ctx, p.who, slipway.Listener{ComputeID: bad}); slipway.CodeOf(err) != slipway.CodeInvalid {
			t.Errorf("compute id %q: %v", bad, err)
		}
	}
	p.listener(strings.Repeat("ü", 255))

	p.pass(time.Second)
	changed, err := p.PatchListener(ctx, p.who, l.ID, slipway.ListenerChange{Version: new("1.0")})
	must(t, err)
	if *changed.Version != "1.0" || !slices.Equal(changed.Namespaces, l.Namespaces) || !changed.UpdatedAt.After(l.UpdatedAt) || changed.CreatedAt != l.CreatedAt {
		t.Errorf("a version changed it to %+v", changed)
	}
	changed, err = p.PatchListener(ctx, p.who, l.ID, slipway.ListenerChange{Namespaces: []string{"three"}})
	must(t, err)
	if *changed.Version != "1.0" || !slices.Equal(changed.Namespaces, []string{"three"}) {
		t.Errorf("namespaces changed it to %+v", changed)
	}
	page, err := p.ListListeners(ctx, p.who, 1, 1)
	if err != nil || len(page) != 1 || page[0].ID != l.ID {
		t.Errorf("the second page is %+v, %v", page, err)
	}
	must(t, p.DeleteListener(ctx, p.who, l.ID))
	_, err = p.GetListener(ctx, p.who, l.ID)
	refusal(t, "after its deletion", err, slipway.CodeNotFound, "Listener ID "+string(l.ID)+" not found.")
}

func TestAnotherWorkspacesListenerIsAbsent(t *testing.T) {
	p := newPlane(t)
	l := p.listener("cluster", "one")
	other := p.who
	other.Workspace = slipway.NewID[slipway.WorkspaceID](p.clock())
	must(t, p.store.Update(t.Context(), func(tx slipway.Tx) error {
		return tx.InsertWorkspace(slipway.Workspace{ID: other.Workspace, Name: "other", CreatedAt: p.clock()})
	}))
	text := "Listener ID " + string(l.ID) + " not found."
	_, err := p.GetListener(t.Context(), other, l.ID)
	refusal(t, "get", err, slipway.CodeNotFound, text)
	_, err = p.PatchListener(t.Context(), other, l.ID, slipway.ListenerChange{})
	refusal(t, "patch", err, slipway.CodeNotFound, text)
	refusal(t, "delete", p.DeleteListener(t.Context(), other, l.ID), slipway.CodeNotFound, text)
	_, err = p.Create(t.Context(), other, placed("app", string(l.ID), nil))
	if slipway.CodeOf(err) != slipway.CodeInvalid || !strings.Contains(err.Error(), text) {
		t.Errorf("a deployment on it: %v", err)
	}
	if found, err := p.ListListeners(t.Context(), other, 10, 0); err != nil || len(found) > 0 {
		t.Errorf("list: %v, %v", found, err)
	}
	if _, err := p.CreateListener(t.Context(), other, slipway.Listener{ComputeType: "k8s", ComputeID: "cluster"}); err != nil {
		t.Errorf("the same compute id there: %v", err)
	}
}

func TestPlacement(t *testing.T) {
	p := newPlane(t)
	ctx := t.Context()
	create := func(n slipway.NewDeployment) error { _, err := p.Create(ctx, p.who, n); return err }
	must(t, create(placed("before", "", nil)))
	one, bare := p.listener("one", "a", "b"), p.listener("bare")

	refusal(t, "an image without a listener", create(placed("app", "", nil)), slipway.CodeInvalid, fmt.Sprintf(
		"Source configuration error: 'source_config.listener_id' is required for workspace with available listener IDs: ['%s', '%s']", bare.ID, one.ID))
	unknown := string(slipway.NewID[slipway.ListenerID](p.clock()))
	refusal(t, "an unknown listener", create(placed("app", unknown, nil)), slipway.CodeInvalid,
		"Source configuration error: 'source_config.listener_id' is unknown: Listener ID "+unknown+" not found.")
	refusal(t, "a strange namespace", create(placed("app", string(one.ID), new("c"))), slipway.CodeInvalid,
		"Source configuration error: 'source_config.listener_config.k8s_namespace' 'c' is not one of listener ID "+string(one.ID)+": ['a', 'b'].")
	must(t, create(slipway.NewDeployment{Name: "source", Source: slipway.SourceInternalSource}))

	for name, c := range map[string]struct {
		on   slipway.Listener
		give *string
		want *string
	}{
		"default":    {one, nil, new("a")},
		"chosen":     {one, new("b"), new("b")},
		"none-there": {bare, nil, nil},
	} {
		d, err := p.Create(ctx, p.who, placed(name, string(c.on.ID), c.give))
		must(t, err)
		got := d.Config.K8sNamespace
		if d.Config.ListenerID != string(c.on.ID) || (got == nil) != (c.want == nil) || got != nil && *got != *c.want || d.Config.HasListener != (got != nil) {
			t.Errorf("%s: placed by %+v", name, d.Config)
		}
	}
}

// Nobody here takes what a listener is to run. Its deadline ends it, and it
// says why.
func TestRevisionWaitsForItsListener(t *testing.T) {
	p := newPlane(t)
	l := p.listener("cluster", "one")
	d, err := p.Create(t.Context(), p.who, placed("app", string(l.ID), nil))
	must(t, err)
	if _, err := p.Acquire(t.Context(), "test", d.ID); !errors.Is(err, slipway.ErrNoRow) {
		t.Errorf("acquired: %v", err)
	}
	must(t, p.store.View(t.Context(), func(tx slipway.Tx) error {
		lease := slipway.Lease{Deployment: d.ID, Owner: "test", Term: 1}
		if err := tx.CheckLease(lease); !errors.Is(err, slipway.ErrLeaseLost) {
			t.Errorf("the lease was taken all the same: %v", err)
		}
		return nil
	}))
	all, err := p.Assignments(t.Context(), "", 10)
	if err != nil || len(all) > 0 {
		t.Errorf("assigned: %v, %v", all, err)
	}
	here := p.create("here")
	p.push(here.ID)
	claims, err := p.Claim(t.Context(), "test", 10)
	if err != nil || len(claims) != 1 || claims[0].Lease.Deployment != here.ID {
		t.Errorf("claimed %v, %v", claims, err)
	}

	p.pass(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Coordinate(ctx)
	}()
	testsignal.Until(t, "the end of the revision", func() bool {
		r, err := p.GetRevision(t.Context(), p.who, d.ID, d.Newest.ID)
		must(t, err)
		return r.Status.Ended()
	})
	cancel()
	<-done
	r, err := p.GetRevision(t.Context(), p.who, d.ID, d.Newest.ID)
	must(t, err)
	if r.Failure.Code != "listener_not_connected" || !strings.Contains(r.Message, "Listener ID "+string(l.ID)+" is not connected") {
		t.Errorf("ended with %+v: %s", r.Failure, r.Message)
	}

	refusal(t, "deletion of a listener in use", p.DeleteListener(t.Context(), p.who, l.ID), slipway.CodeConflict,
		"Listener ID "+string(l.ID)+" cannot be deleted: deployments are placed on it (app). Delete them first.")
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	must(t, p.DeleteListener(t.Context(), p.who, l.ID))
}

// Asked again with the key of its request, a registration answers with what it
// made.
func TestListenerAskedAgain(t *testing.T) {
	p := newPlane(t)
	var made [2]slipway.Listener
	for i := range made {
		var err error
		made[i], err = p.CreateListener(p.keyed("key", "hash"), p.who, slipway.Listener{ComputeType: "k8s", ComputeID: "cluster"})
		must(t, err)
		p.pass(time.Second)
	}
	if made[0].ID != made[1].ID || !made[0].CreatedAt.Equal(made[1].CreatedAt) {
		t.Errorf("made %+v and %+v", made[0], made[1])
	}
}
