package conformance

import (
	"net/http"
	"slices"
)

func revisionCases() []Case {
	return []Case{
		fact("§4", "a revision has the published members", func(t *T) {
			d := t.createImage(nil)
			t.get(d.revision(d.made.text("latest_revision_id"))).is(http.StatusOK).matches("id", idPattern).
				matches("created_at", `^\d{4}-\d\d-\d\dT`).matches("updated_at", `^\d{4}-\d\d-\d\dT`).has("source", "external_docker").
				has("source_revision_config.image_uri", t.target.Image).matches("status", "^[A-Z_]+$")
		}),
		observed("§2", "a revision has the newer members", func(t *T) {
			d := t.createImage(nil)
			t.get(d.revision(d.made.text("latest_revision_id"))).is(http.StatusOK).holds("status_message", "repo_commit_sha", "deepagents_version")
		}),
		fact("§4", "an unknown revision is 404", func(t *T) {
			d := t.create(nil)
			t.get(d.revision(nobody)).is(http.StatusNotFound).has("detail", "Revision ID "+nobody+" not found.")
		}),
		fact("§4", "a revision of another deployment is 404", func(t *T) {
			one, two := t.createImage(nil), t.createImage(nil)
			r := one.made.text("latest_revision_id")
			t.get(two.revision(r)).is(http.StatusNotFound)
			t.call(http.MethodPost, two.revision(r)+"/redeploy").is(http.StatusNotFound)
			t.call(http.MethodPost, two.revision(r)+"/interruption").is(http.StatusNotFound)
		}),
		fact("§2", "POST makes a revision in any case", func(t *T) {
			d := t.createImage(nil)
			a := t.post(d.path()+"/revisions", object{"source_revision_config": object{}}).is(http.StatusCreated)
			d.revisions("?limit=1").has("resources.0.id", a.text("id"))
			t.check(d.count() == 2, "two revisions", d.count())
		}),
		fact("§2", "POST of a revision takes what PATCH takes", func(t *T) {
			d := t.createImage(nil)
			t.post(d.path()+"/revisions", object{
				"source_config": object{"resource_spec": object{"cpu": 1}}, "source_revision_config": object{"image_uri": t.target.Image},
				"secrets": pairs("ONE"), "secret_references": nil, "revision_source": nil,
			}).is(http.StatusCreated).has("source_revision_config.image_uri", t.target.Image)
			t.secretNames(d, "ONE")
		}),
		fact("§2", "POST of a revision needs source_revision_config", func(t *T) {
			t.post(t.createImage(nil).path()+"/revisions", object{}).is(http.StatusUnprocessableEntity).
				has("detail.0.type", "missing").has("detail.0.loc", []any{"body", "source_revision_config"})
		}),
		fact("§4", "an image skips the build", func(t *T) {
			d := t.createImage(nil)
			_, seen := d.await(d.made.text("latest_revision_id"))
			for _, status := range []string{"AWAITING_BUILD", "BUILDING", "BUILD_FAILED"} {
				t.check(!slices.Contains(seen, status), "no status "+status, seen)
			}
		}),
		fact("§4", "what goes wrong ends in *_FAILED with a message", func(t *T) {
			d, r := t.failedBuild()
			t.check(t.get(d.revision(r)).is(http.StatusOK).text("status_message") != "", "a message", "")
			d.get().has("active_revision_id", nil).has("latest_revision_status", "BUILD_FAILED").has("status", "READY")
		}),
		fact("§4", "while one is in progress, others queue", queueing),
		fact("§4", "when it ends the newest goes on, the others are skipped", skipping),
		fact("§2", "interruption cancels a revision in progress", func(t *T) { interrupted(t, "interruption") }),
		fact("§2", "interrupt is its older name", func(t *T) { interrupted(t, "interrupt") }),
		observed("§2", "interrupting what has ended is refused", func(t *T) {
			d, r := t.failedBuild()
			t.call(http.MethodPost, d.revision(r)+"/interruption").refused().says()
		}),
		fact("§4", "redeploy answers with the deployment", func(t *T) {
			d := t.createImage(nil)
			r := d.made.text("latest_revision_id")
			a := t.call(http.MethodPost, d.revision(r)+"/redeploy").is(http.StatusOK).has("id", d.id).has("name", d.name)
			now := a.text("latest_revision_id")
			t.check(now != r, "a new revision", now)
			t.get(d.revision(now)).is(http.StatusOK).has("source_revision_config.image_uri", t.target.Image)
		}),
		observed("§4", "what was never built can not be redeployed", func(t *T) {
			d, r := t.failedBuild()
			t.call(http.MethodPost, d.revision(r)+"/redeploy").is(http.StatusBadRequest).says()
		}),
	}
}

func queueing(t *T) {
	d, first := t.busy()
	second := d.push(slowSource, nil)
	t.check(slices.Contains([]string{"CREATING", "QUEUED"}, d.status(second)), "QUEUED", d.status(second))
	t.check(!slices.Contains(ended, d.status(first)), "the first still in progress", d.status(first))
}

func skipping(t *T) {
	d, first := t.busy()
	var waiting []string
	for range 3 {
		waiting = append(waiting, d.push(slowSource, nil))
	}
	t.call(http.MethodPost, d.revision(first)+"/interruption").is(http.StatusNoContent)
	for _, r := range waiting[:2] {
		status, _ := d.await(r)
		t.check(status == "SKIPPED", "SKIPPED", status)
	}
	t.until("the newest goes on", func() (string, bool) {
		status := d.status(waiting[2])
		return status, !slices.Contains([]string{"CREATING", "QUEUED", "SKIPPED"}, status)
	})
	t.check(d.status(first) == "INTERRUPTED", "INTERRUPTED", d.status(first))
}

func interrupted(t *T, name string) {
	d, r := t.busy()
	a := t.call(http.MethodPost, d.revision(r)+"/"+name).is(http.StatusNoContent)
	t.check(len(a.raw) == 0, "no body", a.String())
	status, _ := d.await(r)
	t.check(status == "INTERRUPTED", "INTERRUPTED", status)
	d.get().has("active_revision_id", nil)
}
