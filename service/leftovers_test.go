package service_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// A deployment is known as long as there is a row of it, and what deployments
// share as long as one of them has it.
func TestUnknown(t *testing.T) {
	p := newPlane(t)
	d, dying := p.create("app"), p.create("dying")
	l := p.acquire(d.ID)
	p.report(l, slipway.ItemPlanned{Kind: slipway.ItemBundle, Ref: "planned"})
	l = p.acquire(dying.ID)
	p.report(l, slipway.ItemPlanned{Kind: slipway.ItemState, Ref: string(dying.ID)}, slipway.ItemPlanned{Kind: slipway.ItemBundle, Ref: "removed"})
	must(t, p.Delete(t.Context(), p.who, dying.ID, slipway.DeleteOptions{Now: true}))
	p.report(l, slipway.ItemRemoved{Kind: slipway.ItemBundle, Ref: "removed"})

	nobody := slipway.NewID[slipway.DeploymentID](time.Now())
	things := []slipway.Thing{
		{Kind: slipway.ItemInstance, Ref: "1", Deployment: nobody, What: "process"},
		{Kind: slipway.ItemState, Ref: string(nobody), Deployment: nobody, What: "state"},
		{Kind: slipway.ItemBundle, Ref: "removed"},
		{Kind: slipway.ItemImage, Ref: "planned"},
		{Kind: slipway.ItemInstance, Ref: "2", Deployment: d.ID},
		{Kind: slipway.ItemState, Ref: string(dying.ID), Deployment: dying.ID},
		{Kind: slipway.ItemBundle, Ref: "planned"},
	}
	unknown, err := p.Unknown(t.Context(), things)
	must(t, err)
	if !slices.Equal(unknown, things[:4]) {
		t.Errorf("unknown: %+v", unknown)
	}
	many := make([]slipway.Thing, 1200)
	for n := range many {
		many[n] = things[n%len(things)]
	}
	unknown, err = p.Unknown(t.Context(), many)
	must(t, err)
	if want := 1200/7*4 + min(1200%7, 4); len(unknown) != want {
		t.Errorf("of many %d are unknown, want %d", len(unknown), want)
	}
}

// What was uploaded and pushed is told, and removed for one deployment only.
func TestStored(t *testing.T) {
	p := newPlane(t)
	d, other := p.create("app"), p.create("other")
	p.upload(d.ID, "source")
	p.upload(other.ID, "source")
	for _, name := range []string{"notes", string(d.ID) + "-old"} {
		must(t, os.MkdirAll(filepath.Join(p.dir, "blobs", "uploads", name), 0o700))
		must(t, os.WriteFile(filepath.Join(p.dir, "blobs", "uploads", name, "file"), []byte(name), 0o600))
	}
	for _, id := range []slipway.DeploymentID{d.ID, other.ID} {
		must(t, os.MkdirAll(filepath.Join(p.dir, "registry", "repositories", string(id), "app"), 0o700))
	}
	kinds := func(id slipway.DeploymentID) (kinds []slipway.ItemKind) {
		things, err := p.Stored().Remains(t.Context())
		must(t, err)
		for _, thing := range things {
			switch thing.Deployment {
			case id:
				kinds = append(kinds, thing.Kind)
			case d.ID, other.ID:
			default:
				t.Errorf("a stranger's: %+v", thing)
			}
		}
		slices.Sort(kinds)
		return kinds
	}
	want := []slipway.ItemKind{slipway.ItemRepository, slipway.ItemUpload}
	if got := kinds(d.ID); !slices.Equal(got, want) {
		t.Errorf("there is %v", got)
	}
	for range 2 {
		must(t, p.Stored().Remove(t.Context(), d.ID, nil))
	}
	if got := kinds(d.ID); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
	if got := kinds(other.ID); !slices.Equal(got, want) {
		t.Errorf("of the other: %v", got)
	}
	for _, name := range []string{"notes", string(d.ID) + "-old"} {
		if text, err := os.ReadFile(filepath.Join(p.dir, "blobs", "uploads", name, "file")); string(text) != name {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if p.Stored().Remove(t.Context(), "", nil) == nil {
		t.Error("everything was removed")
	}
}

// Each data plane replaces what it said before.
func TestLeftovers(t *testing.T) {
	p := newPlane(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	said := func(what string, after time.Duration) slipway.Leftover {
		return slipway.Leftover{Thing: slipway.Thing{What: what}, FoundAt: at.Add(after)}
	}
	who := slipway.Principal{Home: true, Scopes: []slipway.Scope{slipway.ScopeAdmin}}
	if got, err := p.Leftovers(who); err != nil || len(got) > 0 {
		t.Errorf("at first %v, %v", got, err)
	}
	must(t, p.Found(t.Context(), "here", []slipway.Leftover{said("gone", 0)}))
	must(t, p.Found(t.Context(), "there", []slipway.Leftover{said("b", time.Hour)}))
	must(t, p.Found(t.Context(), "here", []slipway.Leftover{said("c", time.Hour), said("a", 0)}))
	if got, err := p.Leftovers(who); err != nil || len(got) != 3 || got[0].What != "a" || got[1].What != "b" || got[2].What != "c" {
		t.Errorf("then %v, %v", got, err)
	}
	_, err := p.Leftovers(slipway.Principal{Scopes: who.Scopes})
	wantError(t, "by a workspace's administrator", err, slipway.CodeForbidden, "administrator of the installation")
}
