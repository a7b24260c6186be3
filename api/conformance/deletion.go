package conformance

import (
	"net/http"
	"slices"
	"strings"
)

func deletionCases() []Case {
	return []Case{
		fact("§3", "DELETE answers 204 at once, without a body", func(t *T) {
			a := t.delete(t.create(nil).path()).is(http.StatusNoContent)
			t.check(len(a.raw) == 0, "no body", a.String())
		}),
		fact("§3", "it can be read until everything is gone, then is 404", func(t *T) {
			d, _ := t.busy()
			t.delete(d.path()).is(http.StatusNoContent)
			t.awaitGone(d)
			t.get(d.path()).is(http.StatusNotFound).has("detail", "Deployment ID "+d.id+" not found.")
		}),
		fact("§3", "after DELETE nothing new takes effect", afterDelete),
		fact("§3", "an unknown deployment is 404", func(t *T) {
			t.delete("/v2/deployments/"+nobody).is(http.StatusNotFound).has("detail", "Deployment ID "+nobody+" not found.")
		}),
		fact("§1", "a malformed id is refused", func(t *T) {
			t.delete("/v2/deployments/nonsense").is(http.StatusUnprocessableEntity).
				has("detail.0.type", "uuid_parsing").has("detail.0.loc", []any{"path", "deployment_id"}).has("detail.0.input", "nonsense")
		}),
		fact("§1", "delete_tracing_project and force are truth values", func(t *T) {
			d := t.create(nil)
			for _, name := range []string{"delete_tracing_project", "force"} {
				t.delete(d.path()+"?"+name+"=perhaps").is(http.StatusUnprocessableEntity).has("detail.0.type", "bool_parsing").
					has("detail.0.loc", []any{"query", name}).has("detail.0.input", "perhaps").
					has("detail.0.msg", "Input should be a valid boolean, unable to interpret input")
			}
			d.get().matches("status", "^(READY|AWAITING_DATABASE)$")
		}),
		observed("§1", "DELETE may arrive twice", func(t *T) {
			d, _ := t.busy()
			t.delete(d.path()).is(http.StatusNoContent)
			t.delete(d.path()).is(http.StatusNoContent, http.StatusNotFound)
		}),
		choice("§3", "its name is free again, and its tracing project taken over", func(t *T) {
			d := t.create(nil)
			t.delete(d.path()).is(http.StatusNoContent)
			again := t.createFrom(internal(d.name))
			t.check(again.id != d.id, "another id", again.id)
			again.made.has("tracer_session_id", d.made.value("tracer_session_id"))
		}),
		choice("§3", "its name is free while it is being deleted", func(t *T) {
			d, _ := t.busy()
			t.delete(d.path()).is(http.StatusNoContent)
			again := t.createFrom(internal(d.name))
			t.check(slices.Equal(t.listed("limit=100&name="+d.name+"&name_contains="+d.name), []any{again.id}), "the new one alone by that name", t.listed("name="+d.name))
			again.made.has("latest_revision_id", nil).has("secrets", []any{})
		}),
		fact("§3", "delete_tracing_project ends the project too", func(t *T) {
			d := t.create(nil)
			t.delete(d.path() + "?delete_tracing_project=true").is(http.StatusNoContent)
			again := t.createFrom(internal(d.name)).made.value("tracer_session_id")
			t.check(again != d.made.value("tracer_session_id"), "another tracing project", again)
		}),
		fact("§2", "force is refused for what is not being deleted", func(t *T) {
			d := t.create(nil)
			t.delete(d.path() + "?force=true").is(http.StatusBadRequest).says()
			d.get()
		}),
		fact("§2", "force ends what is being deleted at once", func(t *T) {
			d, _ := t.busy()
			t.delete(d.path()).is(http.StatusNoContent)
			t.delete(d.path()+"?force=true").is(http.StatusNoContent, http.StatusNotFound)
			t.get(d.path()).is(http.StatusNotFound)
		}),
		fact("§2", "many are deleted with one request", func(t *T) {
			one, two := t.create(nil), t.create(nil)
			t.delete(many(one.id, two.id)).is(http.StatusOK)
			t.awaitGone(one)
			t.awaitGone(two)
		}),
		fact("§2", "when some can not be, the answer is 207", func(t *T) {
			d := t.create(nil)
			t.delete(many(d.id, nobody)).is(http.StatusMultiStatus)
			t.awaitGone(d)
		}),
		choice("§2", "the answer says of each what became of it", func(t *T) {
			d := t.create(nil)
			a := t.delete(many(nobody, d.id)).is(http.StatusMultiStatus)
			a.has("results.0.deployment_id", nobody).has("results.0.status", 404).has("results.0.detail", "Deployment ID "+nobody+" not found.")
			a.has("results.1.deployment_id", d.id).has("results.1.status", 204).has("results.1.detail", nil)
		}),
		fact("§2", "when none can be, the answer is 404", func(t *T) {
			t.delete(many(nobody)).is(http.StatusNotFound).has("detail", "Deployment ID "+nobody+" not found.")
		}),
		fact("§2", "at most 100 are taken", func(t *T) {
			t.delete(many(slices.Repeat([]string{nobody}, 101)...)).is(http.StatusUnprocessableEntity).has("detail.0.type", "too_long")
		}),
		fact("§2", "ids are wanted, and checked", func(t *T) {
			t.delete("/v2/deployments").is(http.StatusUnprocessableEntity).has("detail.0.type", "missing").has("detail.0.loc", []any{"query", "deployment_ids"})
			t.delete(many("nonsense")).is(http.StatusUnprocessableEntity).has("detail.0.type", "uuid_parsing").has("detail.0.loc", []any{"query", "deployment_ids", 0.0})
		}),
		fact("§1", "another workspace's are not deleted with many", func(t *T) {
			mine, theirs := t.create(nil), t.create(nil, as(t.target.OtherKey))
			t.delete(many(mine.id, theirs.id)).is(http.StatusMultiStatus)
			t.get(theirs.path(), as(t.target.OtherKey)).is(http.StatusOK).matches("status", "^(READY|AWAITING_DATABASE)$")
		}).with(otherKey),
	}
}

func many(ids ...string) string {
	return "/v2/deployments?deployment_ids=" + strings.Join(ids, "&deployment_ids=")
}

// awaitGone waits until a deployment is 404; until then it reads as one that is
// being deleted.
func (t *T) awaitGone(d *deployment) {
	t.until("404", func() (string, bool) {
		a := t.get(d.path())
		if a.status == http.StatusOK {
			a.matches("status", "^AWAITING(_FINAL)?_DELETE$")
		}
		return a.String(), a.is(http.StatusOK, http.StatusNotFound).status == http.StatusNotFound
	})
}

func afterDelete(t *T) {
	d, r := t.busy()
	upload := t.call(http.MethodPost, d.path()+"/upload-url").is(http.StatusOK).text("upload_url")
	t.delete(d.path()).is(http.StatusNoContent)
	t.put(upload, brokenSource).refused()
	d.patch(object{"display_name": "late"}).refused()
	t.post(d.path()+"/revisions", object{"source_revision_config": object{}}).refused()
	for _, path := range []string{d.path() + "/upload-url", d.path() + "/push-token", d.revision(r) + "/redeploy", d.revision(r) + "/interruption"} {
		t.call(http.MethodPost, path).refused()
	}
}
