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

// A data plane that has not heard of the deletion yet can not make anything.
func TestNothingIsMadeAfterTheDeletion(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	r := p.push(d.ID)
	l := p.acquire(d.ID)
	a := p.deploy(l, r.ID)
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	for _, e := range []slipway.Event{
		slipway.ItemPlanned{Kind: slipway.ItemBundle, Ref: "another"},
		slipway.InstanceWanted{Revision: r.ID, Ports: ports},
		slipway.PortRefused{Instance: a.Instances[0].ID, Ports: ports},
		slipway.GatePassed{Revision: r.ID},
		slipway.BuildDone{Revision: r.ID},
		slipway.RevisionFailed{Revision: r.ID},
	} {
		if _, err := p.Report(t.Context(), l, e); !errors.Is(err, slipway.ErrDeleting) {
			t.Errorf("%T after the deletion: %v", e, err)
		}
	}
	after := p.report(l, slipway.InstanceGone{Instance: a.Instances[0].ID})
	if len(after.Instances) != 0 || after.Deployment.Status != slipway.AwaitingDelete {
		t.Errorf("afterwards: %+v", after)
	}
}

// A lease that somebody else took is known to be lost at once, not when it is
// renewed next.
func TestKeepEndsWithTheLease(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	p.pass(time.Hour)
	p.acquire(d.ID)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := p.Keep(ctx, l, d.Generation); !errors.Is(err, slipway.ErrLeaseLost) {
		t.Errorf("Keep of a lease that was taken: %v", err)
	}
}

// Two deployments that share a bundle are deleted at the same time: one of them
// must see that it is the last.
func TestTheLastOwnerKeepsTheItem(t *testing.T) {
	p := newPlane(t)
	var leases []slipway.Lease
	for i := range 2 {
		d := p.create(fmt.Sprint("app-", i))
		l := p.acquire(d.ID)
		p.report(l, slipway.ItemPlanned{Kind: slipway.ItemBundle, Ref: "bundle"})
		must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
		leases = append(leases, l)
	}
	for i, want := range []bool{true, false} {
		if shared, err := p.Disown(t.Context(), leases[i], slipway.ItemBundle, "bundle"); shared != want || err != nil {
			t.Errorf("Disown %d = %t, %v, want %t", i, shared, err, want)
		}
	}
	gone, err := p.Get(t.Context(), p.who, leases[0].Deployment)
	if err != nil || gone.Status != slipway.AwaitingFinalDelete {
		t.Errorf("nothing is left of the first: %+v, %v", gone, err)
	}
	after := p.report(leases[1])
	if len(after.Items) != 1 || after.Deployment.Status != slipway.AwaitingDelete {
		t.Errorf("the last owner: %+v", after)
	}
}

// A coordinator that finds many deletions finishes all of them, not the first
// hundred a minute.
func TestManyDeletionsFinishAtOnce(t *testing.T) {
	p := newPlane(t)
	for i := range 130 {
		d := p.create(fmt.Sprint("app-", i))
		must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Coordinate(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()
	testsignal.Until(t, "the end of every deletion", func() bool {
		left, err := p.List(t.Context(), p.who, slipway.DeploymentFilter{})
		must(t, err)
		return len(left) == 0
	})
}

// One change makes one piece of work: it is not due again once it was seen.
func TestAChangeUnderALeaseIsWorkedOffOnce(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	p.push(d.ID)
	seen := p.report(l).Deployment.Generation
	must(t, p.Release(t.Context(), l, seen, time.Time{}))
	must(t, p.store.View(t.Context(), func(tx slipway.Tx) error {
		due, err := tx.NextDue()
		if !due.IsZero() {
			t.Errorf("what was seen is due again at %v", due)
		}
		return err
	}))
	l = p.acquire(d.ID)
	object := p.upload(d.ID, strings.Repeat("x", 9))
	_, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{TarballPath: &object})
	must(t, err)
	must(t, p.Release(t.Context(), l, seen, time.Time{}))
	if claims, err := p.Claim(t.Context(), "test", 9); err != nil || len(claims) != 1 {
		t.Errorf("what was not seen: %v, %v", claims, err)
	}
}

// A forced deletion is over for clients at once, and who forced it is written down;
// what was made is removed all the same.
func TestForceEndsTheRowAtOnce(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	p.report(l, slipway.ItemPlanned{Kind: slipway.ItemBundle, Ref: "bundle"})
	if err := p.ForceDelete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}); slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("force of what is not being deleted: %v", err)
	}
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	must(t, p.ForceDelete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	if _, err := p.Get(t.Context(), p.who, d.ID); slipway.CodeOf(err) != slipway.CodeNotFound {
		t.Errorf("afterwards: %v", err)
	}
	if err := p.ForceDelete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}); slipway.CodeOf(err) != slipway.CodeNotFound {
		t.Errorf("again: %v", err)
	}
	got := slices.DeleteFunc(p.audited(), func(e slipway.AuditEvent) bool { return e.Action != slipway.AuditForced })
	if len(got) != 1 || got[0].Target != string(d.ID) || got[0].Key != p.who.Key || got[0].Workspace != p.who.Workspace {
		t.Errorf("written down: %+v", got)
	}
	if r := p.receipt(d.ID); r.State != slipway.DeletionPurging || r.GoneAt.IsZero() || len(r.Items) == 0 {
		t.Errorf("meanwhile: %+v", r)
	}
	p.lost(l, slipway.ItemBundle, "bundle")
	p.coordinate()
	p.ended(d.ID)
}

// What is asked for together with force is done with it, or, under a tag that is
// not the deployment's any more, none of it.
func TestForceWithMore(t *testing.T) {
	p := newPlane(t, keeping)
	d, l := p.served("app")
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	more := slipway.DeleteOptions{TracingProject: true, Now: true}
	stale := slipway.WithTags(t.Context(), []string{"another"})
	for name, ask := range map[string]func(context.Context, slipway.Principal, slipway.DeploymentID, slipway.DeleteOptions) error{
		"delete": p.Delete, "force": p.ForceDelete,
	} {
		if err := ask(stale, p.who, d.ID, more); slipway.CodeOf(err) != slipway.CodeStale {
			t.Errorf("%s under another tag: %v", name, err)
		}
	}
	now, err := p.Get(t.Context(), p.who, d.ID)
	must(t, err)
	must(t, p.ForceDelete(slipway.WithTags(t.Context(), []string{now.Tag()}), p.who, d.ID, more))
	p.stop(d.ID, l)
	if a := p.cleared(d.ID, l); a.Deployment.Status != slipway.AwaitingFinalDelete {
		t.Errorf("it is %s", a.Deployment.Status)
	}
	p.coordinate()
	if r := p.ended(d.ID); len(r.Keep) > 0 || !p.isGone(d.Project) {
		t.Errorf("it leaves %v", r.Keep)
	}
}
