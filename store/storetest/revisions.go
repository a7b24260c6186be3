package storetest

import (
	"reflect"
	"slices"
	"testing"

	"github.com/slipwayhq/slipway"
)

// revision makes one without writing it.
func (w *world) revision(d slipway.DeploymentID, number int64) slipway.Revision {
	return slipway.Revision{
		ID: newID[slipway.RevisionID](), Deployment: d, Number: number, Status: slipway.Queued,
		Source: slipway.SourceInternalSource, CreatedAt: at(float64(number)), UpdatedAt: at(float64(number)),
	}
}

func getRevision(r slipway.Revision) func(slipway.Tx) (slipway.Revision, error) {
	return func(tx slipway.Tx) (slipway.Revision, error) { return tx.Revision(r.Deployment, r.ID) }
}

func fullRevision(d slipway.DeploymentID) slipway.Revision {
	return slipway.Revision{
		ID: newID[slipway.RevisionID](), Deployment: d, Number: 3, Status: slipway.BuildFailed, Message: "it failed",
		ReturnsFrom: slipway.NewID[slipway.RevisionID](at(0)),
		Failure:     &slipway.Failure{Phase: slipway.PhaseBuild, Step: "install", Code: "bad", Message: "m", Hint: "h", Exit: new(1)},
		Source:      slipway.SourceInternalSource, Config: fullRevisionConfig(), Secrets: newID[slipway.SecretSetID](),
		Artefact: slipway.Artefact{Kind: "js", Digest: "d", Image: "img@sha256:d", Config: "langgraph.json", Runtime: map[string]string{"node": "24"}, TakesKeys: true},
		Deadline: at(9), CreatedAt: at(1), UpdatedAt: at(2), Version: 5,
	}
}

func testRevisionRow(t *testing.T, w *world) {
	d := w.deployment("app", 0)
	full, bare := fullRevision(d.ID), w.revision(d.ID, 1)
	filled(t, reflect.ValueOf(full), "Revision")
	for _, r := range []slipway.Revision{full, bare} {
		w.update(func(tx slipway.Tx) error { return tx.InsertRevision(r) })
		equal(t, "revision", read(w, getRevision(r)), r)
	}
	absent(w, func(tx slipway.Tx) (slipway.Revision, error) { return tx.Revision("no", full.ID) })
	w.refused(nil, func(tx slipway.Tx) error { return tx.InsertRevision(w.revision(d.ID, 1)) })
	w.refused(nil, func(tx slipway.Tx) error { return tx.InsertRevision(w.revision("no", 1)) })

	changed := full
	changed.ID, changed.Number, changed.CreatedAt, changed.Version = bare.ID, bare.Number, bare.CreatedAt, bare.Version
	changed.ReturnsFrom = bare.ReturnsFrom // it is known from the start
	w.update(func(tx slipway.Tx) error { return tx.UpdateRevision(&changed, bare.Status) })
	equal(t, "version", changed.Version, int64(1))
	equal(t, "updated revision", read(w, getRevision(bare)), changed)
	w.refused(slipway.ErrStale, func(tx slipway.Tx) error { return tx.UpdateRevision(&bare, bare.Status) })
	bare.ID = "no"
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.UpdateRevision(&bare, bare.Status) })
}

func testRevisionHistory(t *testing.T, w *world) {
	r := w.revision(w.deployment("app", 0).ID, 1)
	w.update(func(tx slipway.Tx) error { return tx.InsertRevision(r) })
	step := func(s slipway.RevisionStatus, seconds float64) {
		was := r.Status
		r.Status, r.UpdatedAt = s, at(seconds)
		w.update(func(tx slipway.Tx) error { return tx.UpdateRevision(&r, was) })
	}
	step(slipway.AwaitingBuild, 2)
	step(slipway.AwaitingBuild, 3)
	step(slipway.Building, 4)
	history := read(w, func(tx slipway.Tx) ([]slipway.StatusChange, error) { return tx.History(r.ID) })
	equal(t, "history", history, []slipway.StatusChange{
		{Status: slipway.Queued, At: at(1)}, {Status: slipway.AwaitingBuild, At: at(2)}, {Status: slipway.Building, At: at(4)},
	})
}

var statuses = []slipway.RevisionStatus{
	slipway.Creating, slipway.Queued, slipway.AwaitingBuild, slipway.Building, slipway.AwaitingDeploy, slipway.Deploying,
	slipway.Deployed, slipway.CreateFailed, slipway.BuildFailed, slipway.DeployFailed, slipway.Skipped, slipway.Interrupted,
	slipway.RevisionUnknown,
}

// oneInEach writes a revision in each status.
func (w *world) oneInEach(d slipway.DeploymentID) (list []slipway.Revision) {
	for i, s := range statuses {
		r := w.revision(d, int64(i+1))
		r.Status, r.Deadline = s, at(float64(100-i))
		list = append(list, r)
	}
	w.update(func(tx slipway.Tx) error {
		for _, r := range list {
			if err := tx.InsertRevision(r); err != nil {
				return err
			}
		}
		return nil
	})
	return list
}

func testRevisionLists(t *testing.T, w *world) {
	d := w.deployment("app", 0)
	other := w.deployment("other", 0)
	oldest := w.oneInEach(d.ID)
	w.oneInEach(other.ID)
	list := func(f slipway.RevisionFilter) []slipway.Revision {
		f.Deployment = d.ID
		return read(w, func(tx slipway.Tx) ([]slipway.Revision, error) { return tx.ListRevisions(f) })
	}
	newest := slices.Clone(oldest)
	slices.Reverse(newest)
	equal(t, "all", list(slipway.RevisionFilter{}), newest)
	equal(t, "page", list(slipway.RevisionFilter{Limit: 4, Offset: 3}), newest[3:7])
	equal(t, "in status", list(slipway.RevisionFilter{Status: slipway.Building}), oldest[3:4])

	open := read(w, func(tx slipway.Tx) ([]slipway.Revision, error) { return tx.OpenRevisions(d.ID) })
	equal(t, "open", open, slices.DeleteFunc(slices.Clone(oldest), func(r slipway.Revision) bool { return r.Status.Ended() }))
}

func testRevisionDeadlines(t *testing.T, w *world) {
	equal(t, "no deadline", read(w, slipway.Tx.NextDeadline).IsZero(), true)
	all := w.oneInEach(w.deployment("app", 0).ID)
	unbounded := w.revision(w.deployment("other", 0).ID, 1)
	unbounded.Status = slipway.Building
	w.update(func(tx slipway.Tx) error { return tx.InsertRevision(unbounded) })

	due := slices.DeleteFunc(slices.Clone(all), func(r slipway.Revision) bool { return !r.Status.InProgress() })
	slices.Reverse(due) // the later in the list, the earlier its deadline
	overdue := func(seconds float64, limit int) []slipway.Revision {
		return read(w, func(tx slipway.Tx) ([]slipway.Revision, error) { return tx.OverdueRevisions(at(seconds), limit) })
	}
	equal(t, "next deadline", read(w, slipway.Tx.NextDeadline), due[0].Deadline)
	equal(t, "all overdue", overdue(200, 0), due)
	equal(t, "limited", overdue(200, 2), due[:2])
	equal(t, "at the deadline", overdue(95, 0), due[:1])
	equal(t, "before any", overdue(94.9, 0), []slipway.Revision{})
}
