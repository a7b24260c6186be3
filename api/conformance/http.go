package conformance

import (
	"net/http"
	"strings"
)

// nobody is an id that nothing has.
const nobody = "3c2f9f0e-5d4b-4a67-9d5e-2b8f4f6f1a01"

func httpCases() []Case {
	return []Case{
		fact("§1", "the API is under /api-host too", apiHost),
		fact("§1", "an error is a detail", func(t *T) {
			t.get("/v2/deployments/" + nobody).is(http.StatusNotFound).says("Deployment ID " + nobody + " not found.")
		}),
		fact("§1", "a malformed id is 422 uuid_parsing", malformedID),
		fact("§1", "malformed JSON is 422 json_invalid", func(t *T) {
			t.call(http.MethodPost, "/v2/deployments", rawBody("application/json", []byte(`{"name": }`))).is(http.StatusUnprocessableEntity).
				has("detail.0.type", "json_invalid").has("detail.0.loc", []any{"body", 9.0})
		}),
		fact("§1", "unknown query parameters are ignored", func(t *T) {
			t.get("/v2/deployments?no_such_parameter=1&limit=1").is(http.StatusOK).list("resources")
		}),
		fact("§1", "unknown body keys are ignored", func(t *T) {
			t.create(object{"no_such_key": object{"a": 1}, "source_config": object{"nor_this": true}})
		}),
		fact("§1", "explicit nulls are accepted where a field is optional", explicitNulls),
		fact("§1", "a trailing slash is no redirect", func(t *T) { elsewhere(t, "/v2/deployments/") }),
		fact("§1", "a doubled slash is no redirect", func(t *T) { elsewhere(t, "//v2//deployments") }),
		fact("§1", "a request without a body may be typed JSON", bodyless),
		observed("§1", "an unknown path is 404 with a detail", func(t *T) {
			t.get("/v2/no-such-thing").is(http.StatusNotFound).says()
		}),
		observed("§1", "a method that is not served is 405 with a detail", func(t *T) {
			a := t.call(http.MethodPut, "/v2/deployments").is(http.StatusMethodNotAllowed).says()
			t.check(a.header.Get("Allow") != "", "a header Allow", a.header)
		}),
		fact("§1", "a name conflict tells the client not to retry", func(t *T) {
			d := t.create(nil)
			a := t.post("/v2/deployments", internal(d.name)).is(http.StatusConflict)
			t.check(a.header.Get("X-Should-Retry") == "false", "x-should-retry: false", a.header.Get("X-Should-Retry"))
		}),
		observed("§1", "of duplicate JSON keys the last wins", func(t *T) {
			name := t.name()
			body := `{"name":"` + name + `-first","name":"` + name + `","source":"internal_source","source_config":{},"source_revision_config":{},"secrets":[]}`
			t.call(http.MethodPost, "/v2/deployments", rawBody("application/json", []byte(body))).is(http.StatusCreated).has("name", name)
		}),
	}
}

// elsewhere is a path beside one that is served: it is served alike, or not
// found, but never sent on.
func elsewhere(t *T, path string) {
	if a := t.get(path).is(http.StatusOK, http.StatusNotFound); a.status == http.StatusOK {
		a.list("resources")
	} else {
		a.says()
	}
}

func apiHost(t *T) {
	base := strings.TrimSuffix(t.target.URL, "/api-host")
	d := t.create(nil)
	under := t.get(base + "/api-host/v2/deployments/" + d.id)
	at := t.get(base + "/v2/deployments/" + d.id)
	if at.status == http.StatusNotFound && base != t.target.URL {
		t.notRun("the server answers under /api-host only") // so may the vendor's cloud
	}
	under.is(http.StatusOK).has("id", d.id)
	at.is(http.StatusOK).has("id", d.id)
}

func malformedID(t *T) {
	for _, path := range []string{
		"/v2/deployments/not-a-uuid", "/v2/deployments/not-a-uuid/revisions", "/v2/deployments/not-a-uuid/revisions/" + nobody,
	} {
		t.get(path).is(http.StatusUnprocessableEntity).has("detail.0.type", "uuid_parsing").
			has("detail.0.loc", []any{"path", "deployment_id"}).has("detail.0.input", "not-a-uuid")
	}
}

func explicitNulls(t *T) {
	d := t.create(object{
		"source_config": object{
			"integration_id": nil, "repo_url": nil, "deployment_type": nil, "build_on_push": nil, "custom_url": nil, "resource_spec": nil,
			"listener_id": nil, "listener_config": nil, "install_command": nil, "build_command": nil,
		},
		"source_revision_config": object{"repo_ref": nil, "langgraph_config_path": nil, "image_uri": nil, "source_tarball_path": nil},
		"secret_references":      nil,
	})
	d.patch(object{
		"revision_source": nil, "source_config": nil, "source_revision_config": nil, "secrets": nil, "secret_references": nil,
	}).is(http.StatusOK).has("latest_revision_id", nil)
}

func bodyless(t *T) {
	typed := header("Content-Type", "application/json")
	d := t.create(nil)
	t.get(d.path(), typed).is(http.StatusOK)
	t.call(http.MethodPost, d.path()+"/upload-url", typed).is(http.StatusOK)
	t.delete(d.path(), typed).is(http.StatusNoContent)
}
