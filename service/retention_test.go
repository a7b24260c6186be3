package service_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// bundle deploys a new upload as a bundle of its own.
func (p *plane) bundle(l slipway.Lease, d slipway.DeploymentID, digest string) slipway.Revision {
	p.t.Helper()
	r := p.push(d)
	a := p.report(l, slipway.ItemPlanned{Kind: slipway.ItemBundle, Ref: digest}, slipway.BuildStarted{Revision: r.ID},
		slipway.BuildDone{Revision: r.ID, Artefact: slipway.Artefact{Kind: "k", Digest: digest}},
		slipway.DeployStarted{Revision: r.ID}, slipway.InstanceWanted{Revision: r.ID, Ports: ports})
	i := a.Instances[len(a.Instances)-1]
	p.report(l, slipway.GatePassed{Revision: r.ID})
	if old := a.Instances[0]; old.ID != i.ID {
		p.report(l, slipway.InstanceGone{Instance: old.ID})
	}
	p.pass(time.Second)
	return r
}

// given lists what a deployment has given up and not removed.
func (p *plane) given(d slipway.DeploymentID) (refs []string) {
	for _, i := range p.items(d) {
		if !i.ReleasedAt.IsZero() && i.RemovedAt.IsZero() {
			refs = append(refs, i.Ref)
		}
	}
	return refs
}

func (p *plane) items(d slipway.DeploymentID) (items []slipway.Item) {
	must(p.t, p.store.View(p.t.Context(), func(tx slipway.Tx) (err error) {
		items, err = tx.ListItems(d)
		return err
	}))
	return items
}

// uploads counts the sources that are kept of a deployment.
func (p *plane) uploads(d slipway.DeploymentID) int {
	files, err := os.ReadDir(filepath.Join(p.dir, "blobs", "uploads", string(d)))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Fatal(err)
	}
	return len(files)
}

// Old artefacts are given up, and their sources removed; what can be deployed
// again stays, and is refused once it can not.
func TestOldArtefactsAreGivenUp(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	oldest := p.bundle(l, d.ID, "b0")
	for _, digest := range []string{"b1", "b2", "b3", "b4"} {
		p.bundle(l, d.ID, digest)
	}
	p.pass(100 * 24 * time.Hour)
	newest := p.bundle(l, d.ID, "b5")
	if n := p.uploads(d.ID); n != 6 {
		t.Fatalf("%d sources are kept", n)
	}
	p.pass(2 * 24 * time.Hour)
	p.coordinate()
	testsignal.Until(t, "the old bundle is given up", func() bool { return slices.Equal(p.given(d.ID), []string{"b0"}) })
	testsignal.Until(t, "the old sources are removed", func() bool { return p.uploads(d.ID) == 1 })
	if _, err := p.Redeploy(t.Context(), p.who, d.ID, oldest.ID); slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("deployed again though it was given up: %v", err)
	}
	if needed, err := p.Disown(t.Context(), l, slipway.ItemBundle, "b0"); needed || err != nil {
		t.Errorf("the data plane is kept from removing it: %t, %v", needed, err)
	}
	if needed, err := p.Disown(t.Context(), l, slipway.ItemBundle, "b5"); !needed || err != nil {
		t.Errorf("the data plane may remove what serves: %t, %v", needed, err)
	}
	p.report(l, slipway.ItemRemoved{Kind: slipway.ItemBundle, Ref: "b0"}, slipway.ItemRemoved{Kind: slipway.ItemBundle, Ref: "b5"})
	there := func(ref string) bool {
		return slices.ContainsFunc(p.items(d.ID), func(i slipway.Item) bool { return i.Ref == ref && i.RemovedAt.IsZero() })
	}
	if there("b0") || !there("b5") {
		t.Error("the inventory does not say what is there")
	}
	if _, err := p.Redeploy(t.Context(), p.who, d.ID, newest.ID); err != nil {
		t.Errorf("the newest can not be deployed again: %v", err)
	}
}

// Planned again, what was given up is needed: the data plane may not remove it.
func TestWhatIsBuiltAgainIsNeeded(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	p.bundle(l, d.ID, "old")
	must(t, p.store.Update(t.Context(), func(tx slipway.Tx) error {
		return tx.ReleaseItem(d.ID, slipway.ItemBundle, "old", p.clock())
	}))
	if got := p.given(d.ID); !slices.Equal(got, []string{"old"}) {
		t.Fatalf("given up: %v", got)
	}
	p.report(l, slipway.ItemPlanned{Kind: slipway.ItemBundle, Ref: "old"})
	if needed, err := p.Disown(t.Context(), l, slipway.ItemBundle, "old"); !needed || err != nil {
		t.Errorf("the data plane may remove it: %t, %v", needed, err)
	}
	if got := p.given(d.ID); got != nil {
		t.Errorf("given up: %v", got)
	}
}

// An upload that comes while an old one is removed may be of the same bytes, and
// so be the same file.
func TestASourceThatComesAgainStays(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	old := p.upload(d.ID, "the same")
	newest := p.push(d.ID)
	must(t, p.Interrupt(t.Context(), p.who, d.ID, newest.ID)) // while something is in progress, nothing is given up
	p.pass(48 * time.Hour)
	u, err := p.NewUpload(t.Context(), p.who, d.ID)
	must(t, err)
	body, send := io.Pipe()
	received := make(chan error, 1)
	go func() { received <- p.ReceiveUpload(t.Context(), u.ID, body) }()
	_, err = io.WriteString(send, "the ") // it has begun
	must(t, err)
	p.coordinate()
	testsignal.Until(t, "the old source is given up", func() bool { return slices.Equal(p.given(d.ID), []string{old}) })
	_, err = io.WriteString(send, "same")
	must(t, errors.Join(err, send.Close(), <-received))
	if n := p.uploads(d.ID); n != 2 {
		t.Errorf("%d sources are kept, want the newest and what came again", n)
	}
}
