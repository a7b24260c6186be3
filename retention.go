package slipway

import "time"

// Retention says how long what a revision was built to is kept, so that it can
// be deployed again without a build.
type Retention struct {
	// Last is how many deployed revisions are kept in any case, the active one
	// among them.
	Last int
	// For is how long a revision is kept after another took its place, or after
	// it failed.
	For time.Duration
	// Sources is how long an upload is kept that nothing was made of.
	Sources time.Duration
}

// Kept returns the revisions of a deployment that can be deployed again.
// Revisions come newest first.
func (p Retention) Kept(revisions []Revision, active RevisionID, now time.Time) []Revision {
	var kept []Revision
	deployed := 0
	var replaced time.Time // when the next newer revision was deployed; zero if none was
	for _, r := range revisions {
		since := r.UpdatedAt
		if r.Status == Deployed {
			deployed++
			if !replaced.IsZero() {
				since = replaced
			}
			replaced = r.UpdatedAt
		}
		if !r.Status.Ended() || r.ID == active || r.Status == Deployed && deployed <= p.Last || now.Sub(since) < p.For {
			kept = append(kept, r)
		}
	}
	return kept
}

// Needs says whether a revision that is kept needs an item.
func (r Revision) Needs(i Item) bool {
	switch i.Kind {
	case ItemBundle:
		return r.Artefact.Digest == i.Ref
	case ItemImage:
		return r.Artefact.Digest == i.Ref || r.Artefact.Image == i.Ref || r.Config.ImageURI == i.Ref
	case ItemUpload:
		return !r.Status.Ended() && r.Config.TarballPath == i.Ref
	}
	return true
}

// Released returns what is not needed any more of what there is: artefacts of
// revisions that are not kept, and sources that nothing will be built from.
// While something is being built it releases nothing: what that needs is not
// known yet.
func (p Retention) Released(d Deployment, kept []Revision, items []Item, now time.Time) []Item {
	for _, r := range kept {
		if r.Status.InProgress() && !r.Artefact.Built() {
			return nil
		}
	}
	var released []Item
	for _, i := range items {
		if p.releases(d, kept, i, now) {
			released = append(released, i)
		}
	}
	return released
}

func (p Retention) releases(d Deployment, kept []Revision, i Item, now time.Time) bool {
	if !i.RemovedAt.IsZero() || !i.ReleasedAt.IsZero() {
		return false
	}
	if i.Kind == ItemUpload && (d.RevisionConfig.TarballPath == i.Ref || now.Sub(i.CreatedAt) < p.Sources) {
		return false
	}
	for _, r := range kept {
		if r.Needs(i) {
			return false
		}
	}
	return i.Kind == ItemBundle || i.Kind == ItemImage || i.Kind == ItemUpload
}
