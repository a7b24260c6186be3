package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// undoCases are about what Slipway adds to a deletion: that it can be foreseen,
// followed, forbidden and taken back.
func undoCases() []Case {
	cases := []Case{
		choice("ext", "a plan says what would go and what would stay", plans),
		choice("ext", "what is deleted is listed before it is 404", func(t *T) {
			d, _ := t.busy()
			t.delete(d.path()).is(http.StatusNoContent)
			t.tombstone(d).has("name", d.name).has("tenant_id", d.made.value("tenant_id")).
				matches("deleted_at", isoDate).matches("purge_at", isoDate).matches("state", "^(stopping|kept|purging)$")
			t.awaitGone(d)
		}),
		choice("ext", "deleted ones are listed in pages", func(t *T) {
			one, two := t.deleted(), t.deleted()
			t.tombstone(one)
			t.tombstone(two)
			all := t.get(tombstones+"?limit=100").is(http.StatusOK).under("resources", "id")
			t.check(slices.Index(all, any(two.id)) < slices.Index(all, any(one.id)), "the last deleted first", all)
			for offset := range 2 {
				a := t.get(fmt.Sprintf("%s?limit=1&offset=%d", tombstones, offset)).is(http.StatusOK).has("offset", offset+1)
				t.check(len(a.list("resources")) == 1, "a page of one", a.String())
			}
			t.get(tombstones+"?limit=0").is(http.StatusUnprocessableEntity).has("detail.0.loc", []any{"query", "limit"})
		}),
		choice("ext", "to every operation of the contract a deleted one is 404", buried),
		choice("ext", "a deleted one can be restored as it was", restores),
		choice("ext", "a deleted one can be restored under another name", renamed),
		choice("ext", "what was not deleted can not be restored", func(t *T) {
			d := t.create(nil)
			t.call(http.MethodPost, d.path()+"/restore").is(http.StatusConflict).says(d.id)
			t.call(http.MethodPost, "/v2/deployments/"+nobody+"/restore").is(http.StatusNotFound).has("detail", "Deployment ID "+nobody+" not found.")
			t.call(http.MethodPost, "/v2/deployments/nonsense/restore").is(http.StatusUnprocessableEntity).has("detail.0.type", "uuid_parsing")
			t.post(d.path()+"/restore", object{"name": 7}).is(http.StatusUnprocessableEntity).has("detail.0.loc", []any{"body", "name"})
		}),
		choice("ext", "an Idempotency-Key restores once", func(t *T) {
			d, once := t.deleted(), header("Idempotency-Key", t.name())
			for range 2 {
				t.call(http.MethodPost, d.path()+"/restore", once).is(http.StatusOK).has("id", d.id)
			}
		}),
		choice("ext", "a deleted one can be purged before its time", func(t *T) {
			d := t.deleted()
			t.delete(tombstones + "/" + d.id).is(http.StatusNoContent)
			t.receipt(d)
			t.call(http.MethodPost, d.path()+"/restore").is(http.StatusNotFound).says(d.id)
			t.delete(tombstones + "/" + d.id).is(http.StatusNotFound).says(d.id)
			t.check(!slices.Contains(t.get(tombstones+"?limit=100").under("resources", "id"), any(d.id)), "it is not listed any more", d.id)
		}),
		choice("ext", "only what was deleted can be purged", func(t *T) {
			d := t.create(nil)
			t.delete(tombstones + "/" + d.id).is(http.StatusNotFound).says(d.id)
			t.delete(tombstones + "/" + nobody).is(http.StatusNotFound).says(nobody)
			t.delete(tombstones+"/nonsense").is(http.StatusUnprocessableEntity).has("detail.0.type", "uuid_parsing")
			d.get()
		}),
		choice("ext", "deleted now, nothing is kept aside", func(t *T) {
			d := t.uploaded()
			t.delete(d.path() + "?now=true").is(http.StatusNoContent)
			t.awaitGone(d)
			t.receipt(d)
			t.call(http.MethodPost, d.path()+"/restore").is(http.StatusNotFound).says(d.id)
		}),
		choice("ext", "now is a truth value", func(t *T) {
			d := t.create(nil)
			for _, path := range []string{d.path(), d.path() + "/deletion-plan"} {
				method := http.MethodDelete
				if strings.HasSuffix(path, "plan") {
					method = http.MethodGet
				}
				t.call(method, path+"?now=soon").is(http.StatusUnprocessableEntity).has("detail.0.type", "bool_parsing").has("detail.0.loc", []any{"query", "now"}).has("detail.0.input", "soon")
			}
			d.get().matches("status", "^(READY|AWAITING_DATABASE)$")
		}),
		choice("ext", "there is no receipt of what was not deleted", func(t *T) {
			t.get(receipts + t.create(nil).id).is(http.StatusNotFound).says()
			t.get(receipts + nobody).is(http.StatusNotFound).says(nobody)
			t.get(receipts+"nonsense").is(http.StatusUnprocessableEntity).has("detail.0.type", "uuid_parsing")
		}),
		choice("ext", "a protected deployment is not deleted", protection),
		choice("ext", "protecting makes no revision", func(t *T) {
			d := t.createImage(nil)
			before := d.get().header.Get("ETag")
			d.patch(object{"deletion_protection": true}).is(http.StatusOK).has("deletion_protection", true)
			t.check(d.get().header.Get("ETag") != before, "another ETag", before)
			d.patch(object{"deletion_protection": nil}).is(http.StatusOK).has("deletion_protection", true)
			d.patch(object{"deletion_protection": false}).is(http.StatusOK).has("deletion_protection", false)
			t.check(d.count() == 1, "one revision", d.count())
		}),
		choice("ext", "another workspace's deletions are 404", strangersOfDeleted).with(otherKey),
		choice("ext", "who may read may not restore or purge", func(t *T) {
			token, d := as(t.key("read").text("key")), t.deleted()
			t.get(receipts+d.id, token).is(http.StatusOK)
			t.get(tombstones+"?limit=1", token).is(http.StatusOK)
			t.call(http.MethodPost, d.path()+"/restore", token).is(http.StatusForbidden).says("deploy")
			t.delete(tombstones+"/"+d.id, token).is(http.StatusForbidden).says("delete")
		}),
	}
	for i := range cases {
		cases[i] = cases[i].with(extensions)
	}
	return append(cases, choice("ext", "what served is restored to its address", restoresServing).with(extensions, app))
}

const (
	tombstones = "/v1/deleted-deployments"
	receipts   = "/v1/deletions/"
	isoDate    = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`
)

// plan is what would happen to a deployment, on a server that keeps for a while
// what is deleted.
func (t *T) plan(d *deployment, query string) *answer {
	a := t.get(d.path() + "/deletion-plan" + query).is(http.StatusOK)
	if query == "" && a.value("kept_for") == 0.0 {
		t.notRun("the server keeps nothing of what is deleted")
	}
	return a
}

// uploaded makes a deployment for which there is something to remove.
func (t *T) uploaded() *deployment {
	d := t.create(object{"secrets": pairs("ONE")})
	d.await(d.push(brokenSource, nil))
	return d
}

// deleted makes a deployment that was deleted and can be restored.
func (t *T) deleted() *deployment {
	d := t.uploaded()
	t.plan(d, "")
	t.delete(d.path()).is(http.StatusNoContent)
	t.awaitGone(d)
	return d
}

// tombstone finds a deleted deployment in the list.
func (t *T) tombstone(d *deployment) *answer {
	a := t.get(tombstones + "?limit=100").is(http.StatusOK)
	i := slices.Index(a.under("resources", "id"), any(d.id))
	if i < 0 {
		t.stop("a list with "+d.id, a.String())
	}
	return &answer{t: t, status: a.status, header: a.header, raw: a.raw, body: a.value(fmt.Sprint("resources.", i))}
}

// receipt waits for the end of a deletion. Everything but what stays was looked
// for and not found then.
func (t *T) receipt(d *deployment) *answer {
	var a *answer
	t.until("a receipt that says done", func() (string, bool) {
		a = t.get(receipts + d.id).is(http.StatusOK)
		return a.String(), a.value("state") == "done"
	})
	a.has("deployment_id", d.id).has("name", d.name).matches("deleted_at", isoDate).matches("gone_at", isoDate).matches("done_at", isoDate)
	t.check(len(a.list("items")) > 0, "what was removed", a.String())
	for _, member := range []string{"since", "removed_at", "verified_at"} {
		t.check(!slices.Contains(a.under("items", member), nil), "of each item "+member, a.String())
	}
	return a
}

func plans(t *T) {
	d := t.uploaded()
	a := t.plan(d, "").has("deployment_id", d.id).has("name", d.name).has("protected", false)
	project := d.made.value("tracer_session_id")
	t.check(slices.Contains(a.under("remove", "kind"), "upload"), "its upload goes", a.String())
	t.check(slices.Contains(a.under("keep", "ref"), project), "its tracing project stays", a.String())
	for _, list := range []string{"remove", "keep"} {
		t.check(!slices.Contains(a.under(list, "since"), nil), "since when it exists, of all to "+list, a.String())
	}
	a = t.plan(d, "?delete_tracing_project=true&now=true").has("kept_for", 0)
	t.check(slices.Contains(a.under("remove", "ref"), project), "its tracing project goes", a.String())
	t.check(!slices.Contains(a.under("keep", "ref"), project), "its tracing project does not stay", a.String())
	d.get().matches("status", "^READY$")
	t.get("/v2/deployments/"+nobody+"/deletion-plan").is(http.StatusNotFound).has("detail", "Deployment ID "+nobody+" not found.")
}

func buried(t *T) {
	d := t.uploaded()
	r := d.latest()
	t.plan(d, "")
	t.delete(d.path()).is(http.StatusNoContent)
	t.awaitGone(d)
	gone := "Deployment ID " + d.id + " not found."
	for _, path := range []string{
		d.path(), d.path() + "/revisions", d.revision(r), d.revision(r) + "/logs?type=build", "/v2/deployment-logs?deployment_id=" + d.id,
		d.path() + "/events", d.path() + "/metrics", d.path() + "/deletion-plan",
	} {
		t.get(path).is(http.StatusNotFound).has("detail", gone)
	}
	for _, path := range []string{
		d.path() + "/upload-url", d.path() + "/push-token", d.revision(r) + "/redeploy", d.revision(r) + "/interruption", d.revision(r) + "/interrupt",
		"/v1/projects/" + d.id + "/deploy_logs", "/v1/projects/" + d.id + "/revisions/" + r + "/deploy_logs", "/v1/projects/" + d.id + "/revisions/" + r + "/build_logs",
	} {
		t.post(path, object{}).is(http.StatusNotFound).has("detail", gone)
	}
	t.patch(d.path(), object{"display_name": "late"}).is(http.StatusNotFound).has("detail", gone)
	t.post(d.path()+"/revisions", object{"source_revision_config": object{}}).is(http.StatusNotFound).has("detail", gone)
	t.delete(d.path()).is(http.StatusNotFound).has("detail", gone)
	t.delete(d.path()+"?force=true").is(http.StatusNotFound).has("detail", gone)
	t.delete(many(d.id)).is(http.StatusNotFound).has("detail", gone)
	for _, query := range []string{"limit=100", "name=" + d.name, "name_contains=" + d.name, "deployment_ids=" + d.id, "status=AWAITING_DELETE"} {
		t.check(!slices.Contains(t.listed(query), any(d.id)), "it is in no list", query)
	}
}

func restores(t *T) {
	d := t.uploaded()
	before := d.get()
	t.plan(d, "")
	t.delete(d.path()).is(http.StatusNoContent)
	t.awaitGone(d)
	t.call(http.MethodPost, d.path()+"/restore").is(http.StatusOK).has("id", d.id)
	after := d.get().matches("status", "^READY$")
	for _, member := range []string{"name", "source", "source_config", "source_revision_config", "secrets", "latest_revision_id", "tracer_session_id", "created_at"} {
		after.has(member, before.value(member))
	}
	t.check(d.count() == 1, "its revision", d.count())
	t.check(slices.Contains(t.listed("name="+d.name), any(d.id)), "it is listed again", d.id)
	t.check(!slices.Contains(t.get(tombstones+"?limit=100").under("resources", "id"), any(d.id)), "it is not listed as deleted", d.id)
	t.get(receipts + d.id).is(http.StatusNotFound).says()
	t.call(http.MethodPost, d.path()+"/restore").is(http.StatusConflict).says(d.id)
	t.delete(d.path()).is(http.StatusNoContent)
}

func renamed(t *T) {
	d := t.deleted()
	t.createFrom(internal(d.name))
	a := t.call(http.MethodPost, d.path()+"/restore").is(http.StatusConflict).says("already exists")
	t.check(a.header.Get("X-Should-Retry") == "false", "x-should-retry: false", a.header.Get("X-Should-Retry"))
	t.tombstone(d)
	t.post(d.path()+"/restore", object{"name": "No Name!"}).is(http.StatusBadRequest).says()
	name := t.name()
	t.post(d.path()+"/restore", object{"name": name}).is(http.StatusOK).has("id", d.id).has("name", name)
	d.get().has("name", name)
}

func protection(t *T) {
	d, other := t.create(nil), t.create(nil)
	d.get().has("deletion_protection", false)
	d.patch(object{"deletion_protection": true}).is(http.StatusOK).has("deletion_protection", true)
	for _, path := range []string{d.path(), d.path() + "?now=true", many(d.id)} {
		a := t.delete(path).is(http.StatusConflict).says(d.id, "deletion_protection")
		t.check(a.header.Get("X-Should-Retry") == "false", "x-should-retry: false", a.header.Get("X-Should-Retry"))
	}
	t.delete(many(d.id, other.id)).is(http.StatusMultiStatus).has("results.0.status", 409).has("results.1.status", 204)
	t.awaitGone(other)
	d.get().has("deletion_protection", true).matches("status", "^(READY|AWAITING_DATABASE)$")
	t.get(d.path()+"/deletion-plan").is(http.StatusOK).has("protected", true)
	d.patch(object{"deletion_protection": false}).is(http.StatusOK)
	t.delete(d.path()).is(http.StatusNoContent)
}

func strangersOfDeleted(t *T) {
	d, other := t.deleted(), as(t.target.OtherKey)
	living := t.create(nil)
	t.get(living.path()+"/deletion-plan", other).is(http.StatusNotFound).says(living.id)
	t.get(receipts+d.id, other).is(http.StatusNotFound).says(d.id)
	t.call(http.MethodPost, d.path()+"/restore", other).is(http.StatusNotFound).has("detail", "Deployment ID "+d.id+" not found.")
	t.delete(tombstones+"/"+d.id, other).is(http.StatusNotFound).says(d.id)
	t.delete(d.path()+"?now=true", other).is(http.StatusNotFound).says(d.id)
	a := t.get(tombstones+"?limit=100", other).is(http.StatusOK)
	t.check(!slices.Contains(a.under("resources", "id"), any(d.id)), "a list without another's", a.String())
	t.tombstone(d).has("state", "kept")
}

func restoresServing(t *T) {
	d := t.servingOwn()
	before := d.get()
	address := before.text("url")
	t.plan(d, "")
	t.delete(d.path()).is(http.StatusNoContent)
	t.awaitGone(d)
	t.get(address + "/ok").is(http.StatusNotFound)
	t.call(http.MethodPost, d.path()+"/restore").is(http.StatusOK).has("active_revision_id", before.value("active_revision_id"))
	t.until("GET /ok at its address", func() (string, bool) {
		a := t.get(address + "/ok")
		return a.String(), a.status == http.StatusOK
	})
	d.get().has("url", address).has("latest_revision_id", before.value("latest_revision_id"))
}
