package service_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/service"
)

// footprint is what of a deployment could be something new.
type footprint struct {
	revisions, uploads string
	items              int
	asleep             bool
	deleting           bool
}

func (p *plane) footprint(d slipway.DeploymentID) (f footprint) {
	p.t.Helper()
	must(p.t, p.store.View(p.t.Context(), func(tx slipway.Tx) error {
		row, err := tx.Deployment(d)
		if err != nil {
			return err
		}
		f = footprint{deleting: row.Deleting(), asleep: row.Running.Asleep}
		revisions, err := tx.ListRevisions(slipway.RevisionFilter{Deployment: d})
		for _, r := range revisions {
			f.revisions += fmt.Sprintf("%s %s, ", r.ID, r.Status)
			if !r.Status.Ended() {
				p.t.Errorf("revision %s is %s", r.ID, r.Status)
			}
		}
		uploads, err2 := tx.ListUploads(d)
		for _, u := range uploads {
			f.uploads += fmt.Sprintf("%s %q, ", u.ID, u.Digest)
		}
		items, err3 := tx.ListItems(d)
		f.items = len(items)
		return errors.Join(err, err2, err3)
	}))
	return f
}

// Once DELETE answers, no new revision, token, upload or request takes effect
// for the id, whatever is asked for and whatever a data plane reports.
func TestNothingTakesEffectForTheDeleted(t *testing.T) {
	for _, edit := range []func(*plane, *service.Config){keeping, func(*plane, *service.Config) {}} {
		p := newPlane(t, edit)
		n := 0
		rapid.Check(t, func(t *rapid.T) {
			n++
			d, l := p.served(fmt.Sprint("app-", n))
			first := p.report(l).Active.ID
			waiting := rapid.IntRange(0, 2).Draw(t, "waiting")
			for range waiting {
				p.push(d.ID)
			}
			open, err := p.NewUpload(p.t.Context(), p.who, d.ID)
			must(p.t, err)
			object := p.upload(d.ID, fmt.Sprint("source of ", n))
			must(p.t, p.Delete(p.t.Context(), p.who, d.ID, slipway.DeleteOptions{TracingProject: rapid.Bool().Draw(t, "project")}))
			before := p.footprint(d.ID)
			if !before.deleting {
				t.Fatal("it is not being deleted")
			}
			attempts := p.attempts(d.ID, l, first, open.ID, object)
			names := slices.Sorted(maps.Keys(attempts))
			for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 1, 12).Draw(t, "attempts") {
				if err := attempts[name](); err == nil && !mayBeAsked[name] {
					t.Fatalf("%s took effect", name)
				}
				if after := p.footprint(d.ID); after != before {
					t.Fatalf("after %s it is\n%+v, it was\n%+v", name, after, before)
				}
			}
			p.stop(d.ID, l) // its port is for the next
		})
	}
}

// mayBeAsked are answered as if nothing was wrong, and have no effect.
var mayBeAsked = map[string]bool{"rouse": true, "measure": true, "delete again": true, "log": true}

// attempts are all that could have an effect on a deployment.
func (p *plane) attempts(d slipway.DeploymentID, l slipway.Lease, r slipway.RevisionID, u slipway.UploadID, object string) map[string]func() error {
	ctx := p.t.Context()
	report := func(e slipway.Event) func() error {
		return func() error { _, err := p.Report(ctx, l, e); return err }
	}
	return map[string]func() error{
		"patch":    func() error { _, err := p.Patch(ctx, p.who, d, slipway.Change{TarballPath: &object}); return err },
		"protect":  func() error { _, err := p.Patch(ctx, p.who, d, slipway.Change{Protected: new(true)}); return err },
		"revise":   func() error { _, err := p.Revise(ctx, p.who, d, slipway.Change{}); return err },
		"redeploy": func() error { _, err := p.Redeploy(ctx, p.who, d, r); return err },
		"rotate":   func() error { _, err := p.RotatePassword(ctx, p.who, d); return err },
		"restore into": func() error {
			_, err := p.RestoreSnapshot(ctx, p.who, d, slipway.NewID[slipway.DeploymentID](p.clock()), true)
			return err
		},
		"interrupt":    func() error { return p.Interrupt(ctx, p.who, d, r) },
		"new upload":   func() error { _, err := p.NewUpload(ctx, p.who, d); return err },
		"upload":       func() error { return p.ReceiveUpload(ctx, u, strings.NewReader("late")) },
		"push token":   func() error { _, err := p.NewPushToken(ctx, p.who, d); return err },
		"rouse":        func() error { return p.Rouse(ctx, d) },
		"delete again": func() error { return p.Delete(ctx, p.who, d, slipway.DeleteOptions{}) },
		"log": func() error {
			return p.Log(ctx, []slipway.LogLine{{Deployment: d, Kind: slipway.DeployLog, Origin: "o", Offset: 1}})
		},
		"measure": func() error {
			return p.Measured(ctx, "test", []slipway.Sample{{Deployment: d, Replicas: 1, At: p.clock()}})
		},
		"plan an item":   report(slipway.ItemPlanned{Kind: slipway.ItemBundle, Ref: "late"}),
		"want instances": report(slipway.InstanceWanted{Revision: r, Count: 5, Ports: ports}),
		"want databases": report(slipway.DatabaseWanted{}),
		"provide":        report(slipway.DatabaseProvided{}),
		"want a number":  report(slipway.RedisWanted{Numbers: []int{1}}),
		"want a Redis":   report(slipway.RedisServerWanted{Ports: slipway.PortRange{First: 1, Last: 9}}),
		"move a Redis":   report(slipway.RedisPortRefused{Ports: slipway.PortRange{First: 1, Last: 9}}),
		"pass the gate":  report(slipway.GatePassed{Revision: r}),
		"begin a build":  report(slipway.BuildStarted{Revision: r}),
		"return":         report(slipway.ServingFailed{Revision: r, Return: true}),
	}
}
