package slipway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
)

var policy = slipway.Retention{Last: 2, For: 72 * time.Hour, Sources: 24 * time.Hour}

// aged is a revision that came to its status so long ago.
func aged(id string, status slipway.RevisionStatus, ago time.Duration) slipway.Revision {
	return slipway.Revision{
		ID: slipway.RevisionID(id), Status: status, UpdatedAt: noon.Add(-ago),
		Artefact: slipway.Artefact{Kind: "k", Digest: "bundle-" + id}, Config: slipway.RevisionConfig{TarballPath: "upload-" + id},
	}
}

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func TestKept(t *testing.T) {
	for name, c := range map[string]struct {
		revisions []slipway.Revision // newest first
		active    string
		kept      string
	}{
		"nothing": {},
		"the last ones, however old": {
			[]slipway.Revision{aged("3", slipway.Deployed, 90*day), aged("2", slipway.Deployed, 91*day), aged("1", slipway.Deployed, 92*day)}, "3", "3 2",
		},
		"the active one, though newer ones failed its settling": {
			[]slipway.Revision{aged("3", slipway.Deployed, 90*day), aged("2", slipway.Deployed, 91*day), aged("1", slipway.Deployed, 92*day)}, "1", "3 2 1",
		},
		"one that was replaced an hour ago, though it is old": {
			[]slipway.Revision{aged("4", slipway.Deployed, time.Minute), aged("3", slipway.Deployed, 2*time.Minute), aged("2", slipway.Deployed, time.Hour), aged("1", slipway.Deployed, 90*day)}, "4", "4 3 2 1",
		},
		"one that was replaced long ago": {
			[]slipway.Revision{aged("4", slipway.Deployed, 4*day), aged("3", slipway.Deployed, 4*day), aged("2", slipway.Deployed, 4*day), aged("1", slipway.Deployed, 90*day)}, "4", "4 3",
		},
		"failures count for nobody, and go after a while": {
			[]slipway.Revision{aged("5", slipway.DeployFailed, time.Hour), aged("4", slipway.DeployFailed, 4*day), aged("3", slipway.Deployed, 5*day), aged("2", slipway.Deployed, 6*day), aged("1", slipway.Deployed, 7*day)}, "3", "5 3 2",
		},
		"what waits": {
			[]slipway.Revision{aged("2", slipway.Queued, 90*day), aged("1", slipway.Deploying, 90*day)}, "", "2 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var ids []string
			for _, r := range policy.Kept(c.revisions, slipway.RevisionID(c.active), noon) {
				ids = append(ids, string(r.ID))
			}
			if got := strings.Join(ids, " "); got != c.kept {
				t.Errorf("kept %q, want %q", got, c.kept)
			}
		})
	}
}

func item(kind slipway.ItemKind, ref string) slipway.Item {
	return slipway.Item{Kind: kind, Ref: ref, CreatedAt: noon.Add(-90 * day)}
}

func TestReleased(t *testing.T) {
	d := slipway.Deployment{RevisionConfig: slipway.RevisionConfig{TarballPath: "upload-2"}}
	kept := []slipway.Revision{aged("2", slipway.Deployed, 0)}
	fresh := item(slipway.ItemUpload, "upload-3")
	fresh.CreatedAt = noon.Add(-time.Hour)
	gone, given := item(slipway.ItemBundle, "gone"), item(slipway.ItemBundle, "given up")
	gone.RemovedAt, given.ReleasedAt = noon, noon
	image := aged("image", slipway.Deployed, 0)
	image.Artefact.Image, image.Config.ImageURI = "app@sha256:1", "app:latest"
	items := []slipway.Item{
		item(slipway.ItemBundle, "bundle-1"), item(slipway.ItemBundle, "bundle-2"), gone, given,
		item(slipway.ItemUpload, "upload-1"), item(slipway.ItemUpload, "upload-2"), fresh,
		item(slipway.ItemImage, "app@sha256:1"), item(slipway.ItemImage, "app:latest"), item(slipway.ItemImage, "app@sha256:0"),
		item(slipway.ItemState, "d"), item(slipway.ItemRoute, "d"), item(slipway.ItemInstance, "i"), item(slipway.ItemRepository, "d"),
	}
	var refs []string
	for _, i := range policy.Released(d, append(kept, image), items, noon) {
		refs = append(refs, i.Ref)
	}
	if want := []string{"bundle-1", "upload-1", "app@sha256:0"}; !slices.Equal(refs, want) {
		t.Errorf("released %q, want %q", refs, want)
	}
	building := aged("3", slipway.Building, 0)
	building.Artefact = slipway.Artefact{}
	if got := policy.Released(d, append(kept, building), items, noon); got != nil {
		t.Errorf("released %v while something is built", got)
	}
}

// Whatever the history: the active revision is kept, so are as many deployed ones
// as are to be, and nothing that a kept revision needs is released.
func TestNothingThatIsNeededIsReleased(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		statuses := []slipway.RevisionStatus{slipway.Deployed, slipway.BuildFailed, slipway.DeployFailed, slipway.Skipped, slipway.Interrupted, slipway.Deploying}
		var revisions []slipway.Revision
		var items []slipway.Item
		at, deployed, active := time.Duration(0), 0, ""
		for n := range rapid.IntRange(0, 20).Draw(t, "revisions") {
			at += time.Duration(rapid.Int64Range(0, int64(3*day)).Draw(t, "age"))
			r := aged(fmt.Sprint(n), rapid.SampledFrom(statuses).Draw(t, "status"), at)
			revisions = append(revisions, r)
			items = append(items, item(slipway.ItemBundle, r.Artefact.Digest))
			if r.Status == slipway.Deployed {
				deployed++
				if active == "" || rapid.Bool().Draw(t, "active") {
					active = string(r.ID)
				}
			}
		}
		kept := policy.Kept(revisions, slipway.RevisionID(active), noon)
		count := 0
		for _, r := range kept {
			if r.Status == slipway.Deployed {
				count++
			}
		}
		has := func(id slipway.RevisionID) bool {
			return slices.ContainsFunc(kept, func(r slipway.Revision) bool { return r.ID == id })
		}
		if count < min(deployed, policy.Last) || active != "" && !has(slipway.RevisionID(active)) {
			t.Fatalf("kept %v of %v, active %s", kept, revisions, active)
		}
		for _, i := range policy.Released(slipway.Deployment{}, kept, items, noon) {
			for _, r := range kept {
				if r.Artefact.Digest == i.Ref {
					t.Fatalf("%s is released and revision %s needs it", i.Ref, r.ID)
				}
			}
		}
	})
}
