package conformance

import "net/http"

const list = "/v2/deployments?limit=1"

// letIn asks for the list, which is what a key that is let in gets.
func letIn(t *T, sets ...set) { t.get(list, sets...).is(http.StatusOK).list("resources") }

func authCases() []Case {
	return []Case{
		fact("§1", "no key is 401", func(t *T) { t.get(list, as("")).is(http.StatusUnauthorized).says() }),
		fact("§1", "a wrong key is 401", func(t *T) { t.get(list, as("no-such-key")).is(http.StatusUnauthorized).says() }),
		choice("§1", "401 says that the key is invalid", func(t *T) {
			t.get(list, as("no-such-key")).is(http.StatusUnauthorized).has("detail", "Invalid API key.")
		}),
		fact("§1", "a refusal comes before any look at the request", func(t *T) {
			t.call(http.MethodPost, "/v2/deployments", as(""), rawBody("application/json", []byte("{"))).is(http.StatusUnauthorized)
		}),
		fact("§1", "a key may come as Bearer", func(t *T) {
			letIn(t, as(""), header("Authorization", "Bearer "+t.target.Key))
		}),
		fact("§1", "header names may have any case", headerCase),
		fact("§1", "a workspace's key needs no tenant header", func(t *T) { letIn(t) }),
		fact("§1", "a workspace's key is refused for another tenant", func(t *T) {
			t.get(list, header("X-Tenant-Id", nobody)).refused()
		}),
		fact("§1", "an organisation's key needs a tenant", orgWithoutTenant).with(orgKey),
		fact("§1", "an organisation's key works with a tenant", func(t *T) {
			tenant := t.create(nil).made.text("tenant_id")
			letIn(t, as(t.target.OrgKey), header("X-Tenant-Id", tenant))
		}).with(orgKey),
		fact("§1", "another workspace's object is 404", strangers).with(otherKey),
		fact("§1", "another workspace's objects are not listed", func(t *T) {
			d := t.create(nil)
			t.get("/v2/deployments?name="+d.name, as(t.target.OtherKey)).is(http.StatusOK).has("resources", []any{})
		}).with(otherKey),
		fact("§3", "names are unique within a workspace only", func(t *T) {
			d := t.create(nil)
			t.post("/v2/deployments", internal(d.name), as(t.target.OtherKey)).is(http.StatusCreated)
		}).with(otherKey),
	}
}

func headerCase(t *T) {
	tenant := t.create(nil).made.text("tenant_id")
	for _, names := range [][2]string{{"x-api-key", "x-tenant-id"}, {"X-API-KEY", "X-Tenant-ID"}, {"X-Api-Key", "X-TENANT-ID"}} {
		letIn(t, as(""), exactHeader(names[0], t.target.Key), exactHeader(names[1], tenant))
	}
}

func orgWithoutTenant(t *T) {
	t.get(list, as(t.target.OrgKey)).is(http.StatusForbidden).
		says("requires workspace specification").has("error", "org_scoped_key_requires_workspace")
}

func strangers(t *T) {
	d := t.createImage(nil)
	r, other := d.made.text("latest_revision_id"), as(t.target.OtherKey)
	for _, path := range []string{d.path(), d.path() + "/revisions", d.revision(r)} {
		t.get(path, other).is(http.StatusNotFound).says(d.id)
	}
	t.patch(d.path(), object{}, other).is(http.StatusNotFound)
	for _, path := range []string{
		d.path() + "/upload-url", d.revision(r) + "/redeploy", d.revision(r) + "/interruption",
		"/v1/projects/" + d.id + "/deploy_logs", "/v1/projects/" + d.id + "/revisions/" + r + "/build_logs",
	} {
		t.post(path, object{}, other).is(http.StatusNotFound)
	}
	t.delete(d.path(), other).is(http.StatusNotFound)
	d.get()
}
