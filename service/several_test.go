package service_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/turn"
	"github.com/slipwayhq/slipway/service"
)

func TestDeleteManySaysOfEach(t *testing.T) {
	p := newPlane(t)
	a, b, c := p.create("a").ID, p.create("b").ID, p.create("c").ID
	p.push(c)
	must(t, p.Delete(t.Context(), p.who, c, slipway.DeleteOptions{}))
	const none = "0190a0a0-0000-7000-8000-0000000abcde"
	refusals, err := p.DeleteMany(t.Context(), p.who, []slipway.DeploymentID{b, none, c, a, b})
	must(t, err)
	for i, want := range []slipway.Code{"", slipway.CodeNotFound, "", "", ""} {
		if got := slipway.CodeOf(refusals[i]); got != want || (want == "") != (refusals[i] == nil) {
			t.Errorf("%d: %v, want %q", i, refusals[i], want)
		}
	}
	if text := refusals[1].Error(); text != "Deployment ID "+none+" not found." {
		t.Error(text)
	}
	for _, id := range []slipway.DeploymentID{a, b, c} {
		d, err := p.Get(t.Context(), p.who, id)
		if slipway.CodeOf(err) != slipway.CodeNotFound && !d.Deleting() {
			t.Errorf("%s is %s", id, d.Status)
		}
	}
}

// A request for many is written in parts; of one that is named in several it says
// the same each time.
func TestDeleteManyInParts(t *testing.T) {
	p := newPlane(t)
	const none = "0190a0a0-0000-7000-8000-0000000abcde"
	ids := []slipway.DeploymentID{none}
	for i := range 24 {
		ids = append(ids, p.create(fmt.Sprint("app-", i)).ID)
	}
	ids = append(ids, ids[1], none)
	refusals, err := p.DeleteMany(t.Context(), p.who, ids)
	must(t, err)
	for i, id := range ids {
		if known := id != none; known != (refusals[i] == nil) {
			t.Errorf("%d: %v", i, refusals[i])
		}
		if _, err := p.Get(t.Context(), p.who, id); slipway.CodeOf(err) != slipway.CodeNotFound {
			t.Errorf("%d afterwards: %v", i, err)
		}
	}
}

// forgetful fails to write one deployment.
type forgetful struct {
	slipway.Store
	of slipway.DeploymentID
}

type forgetfulTx struct {
	slipway.Tx
	of slipway.DeploymentID
}

func (f forgetful) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	return f.Store.Update(ctx, func(tx slipway.Tx) error { return fn(forgetfulTx{tx, f.of}) })
}

func (f forgetfulTx) UpdateDeployment(d *slipway.Deployment) error {
	if d.ID == f.of {
		return errors.New("the disk is broken")
	}
	return f.Tx.UpdateDeployment(d)
}

// What fails on our side is no refusal: nothing is said to be deleted, and it can
// be asked for again.
func TestDeleteManyFails(t *testing.T) {
	p := newPlane(t)
	a, b := p.create("a").ID, p.create("b").ID
	p.push(b) // there is something to write then
	p.reopen(forgetful{p.store, b})
	if refusals, err := p.DeleteMany(t.Context(), p.who, []slipway.DeploymentID{a, b}); err == nil || refusals != nil || slipway.CodeOf(err) != "" {
		t.Errorf("%v, %v", refusals, err)
	}
	p.reopen(p.store)
	if refusals, err := p.DeleteMany(t.Context(), p.who, []slipway.DeploymentID{a, b}); err != nil || errors.Join(refusals...) != nil {
		t.Errorf("again: %v, %v", refusals, err)
	}
}

func TestDeleteManyLeavesOthersAlone(t *testing.T) {
	p := newPlane(t)
	a := p.create("a").ID
	stranger := slipway.Principal{Workspace: "0190a0a0-0000-7000-8000-0000000abcde", Scopes: slipway.DefaultScopes()}
	refusals, err := p.DeleteMany(t.Context(), stranger, []slipway.DeploymentID{a})
	if err != nil || slipway.CodeOf(refusals[0]) != slipway.CodeNotFound {
		t.Errorf("a stranger's: %v %v", refusals, err)
	}
	if d, err := p.Get(t.Context(), p.who, a); err != nil || d.Deleting() {
		t.Errorf("%s %v", d.Status, err)
	}
}

func TestCountFree(t *testing.T) {
	p := newPlane(t)
	for name, kind := range map[string]string{"a": "dev_free", "b": "dev_free_zero", "c": "dev", "d": "dev_free", "e": ""} {
		_, err := p.Create(t.Context(), p.who, slipway.NewDeployment{
			Name: name, Source: slipway.SourceInternalSource, Config: slipway.SourceConfig{DeploymentType: kind},
		})
		must(t, err)
	}
	found, err := p.List(t.Context(), p.who, slipway.DeploymentFilter{Name: "d"})
	must(t, err)
	must(t, p.Delete(t.Context(), p.who, found[0].ID, slipway.DeleteOptions{}))
	if n, err := p.CountFree(t.Context(), p.who); n != 2 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if n, err := p.CountFree(t.Context(), slipway.Principal{Workspace: "another"}); n != 0 || err != nil {
		t.Errorf("elsewhere: %d %v", n, err)
	}
}

// Deletions that many others share the machine with wait for a turn: one that is
// alone, and work that somebody waits for, does not.
func TestDeletionsTakeTurns(t *testing.T) {
	p := newPlane(t, func(_ *plane, c *service.Config) { c.Turns = turn.Of(0, turn.Limit) })
	d, l := p.served("app")
	must(t, p.Release(t.Context(), l, p.report(l).Deployment.Generation, time.Time{}))
	other := p.create("other")
	for what, do := range map[string]func(context.Context) error{
		"DELETE of many": func(ctx context.Context) error {
			_, err := p.DeleteMany(ctx, p.who, []slipway.DeploymentID{other.ID})
			return err
		},
		"a claim of deletions": func(ctx context.Context) error {
			must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
			_, err := p.ClaimDeletions(ctx, "test", 9)
			return err
		},
	} {
		impatient, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := do(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s has no turn: %v", what, err)
		}
		cancel()
	}
	if left, err := p.Get(t.Context(), p.who, other.ID); err != nil || left.Deleting() {
		t.Errorf("without a turn: %+v, %v", left, err)
	}
}
