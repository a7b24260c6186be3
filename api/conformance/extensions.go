package conformance

import (
	"bufio"
	"context"
	"net/http"
	"strings"
)

// extensionCases are additions of Slipway: no server needs them to keep the
// contract.
func extensionCases() []Case {
	cases := []Case{
		choice("ext", "the document is served, under both prefixes", func(t *T) {
			base := strings.TrimSuffix(t.target.URL, "/api-host")
			for _, path := range []string{"/openapi.json", "/api-host/openapi.json"} {
				t.get(base+path, as("")).is(http.StatusOK).matches("openapi", `^3\.1`).holds("paths./v2/deployments")
			}
		}),
		choice("ext", "an Idempotency-Key makes one of two requests", idempotency),
		choice("ext", "an Idempotency-Key is for one request only", func(t *T) {
			once := header("Idempotency-Key", t.name())
			t.post("/v2/deployments", internal(t.name()), once).is(http.StatusCreated)
			a := t.post("/v2/deployments", internal(t.name()), once).is(http.StatusConflict).says()
			t.check(a.header.Get("X-Should-Retry") == "false", "x-should-retry: false", a.header)
		}),
		choice("ext", "an ETag holds until something is set", etags),
		choice("ext", "If-Match guards a deletion", func(t *T) {
			d := t.create(nil)
			t.delete(d.path(), header("If-Match", `"another"`)).is(http.StatusPreconditionFailed).says()
			t.delete(d.path(), header("If-Match", d.get().header.Get("ETag"))).is(http.StatusNoContent)
		}),
		choice("ext", "the agent server is a setting of the deployment", func(t *T) {
			d := t.create(object{"source_config": object{"agent_server": "aegra"}})
			d.get().has("source_config.agent_server", "aegra")
			t.patch(d.path(), object{"source_config": object{"agent_server": "langgraph"}}).is(http.StatusOK).has("source_config.agent_server", "langgraph")
			t.patch(d.path(), object{"source_config": object{"agent_server": "another"}}).is(http.StatusUnprocessableEntity)
			t.check(d.count() == 0, "no revision before there is a source", d.count())
		}),
		choice("ext", "a deployment can be opened to everybody", func(t *T) {
			d := t.create(nil)
			d.get().has("source_config.access", nil)
			t.patch(d.path(), object{"source_config": object{"access": "public"}}).is(http.StatusOK).has("source_config.access", "public")
			t.patch(d.path(), object{"source_config": object{"access": "friends"}}).is(http.StatusUnprocessableEntity)
			t.patch(d.path(), object{"source_config": object{"access": nil}}).is(http.StatusOK).has("source_config.access", "public")
			t.patch(d.path(), object{"source_config": object{"access": "key"}}).is(http.StatusOK).has("source_config.access", "key")
			t.check(d.count() == 0, "no revision", d.count())
		}),
		choice("ext", "events begin with a reset", func(t *T) {
			d := t.create(nil)
			t.check(t.firstEvent(d.path()+"/events") == "reset", "an event named reset", t.firstEvent(d.path()+"/events"))
			t.get("/v2/deployments/" + nobody + "/events").is(http.StatusNotFound)
		}),
		choice("ext", "metrics are columns as long as their timestamps", func(t *T) {
			d := t.create(nil)
			a := t.get(d.path()+"/metrics?start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z&step=3600").is(http.StatusOK).has("step", 3600.0)
			for _, column := range []string{"timestamps", "requests", "cpu.mean", "latency.p99"} {
				t.check(len(a.list(column)) == 24, "24 elements of "+column, len(a.list(column)))
			}
			t.get(d.path() + "/metrics?step=0").is(http.StatusUnprocessableEntity)
			t.get("/v2/deployments/" + nobody + "/metrics").is(http.StatusNotFound)
		}),
		choice("ext", "the password of a database can be rotated where there is one", func(t *T) {
			d := t.create(nil)
			t.post(d.path()+"/database-password", nil).is(http.StatusConflict).says()
			t.check(d.count() == 0, "no revision", d.count())
			t.post("/v2/deployments/"+nobody+"/database-password", nil).is(http.StatusNotFound)
			t.post(d.path()+"/database-password", nil, as(t.key("read").text("key"))).is(http.StatusForbidden)
		}),
		choice("ext", "a snapshot is restored of what was deleted, where something runs", func(t *T) {
			d := t.create(nil)
			t.post(d.path()+"/snapshot-restore", object{"from": nobody}).is(http.StatusNotFound).says()
			t.post(d.path()+"/snapshot-restore", object{}).is(http.StatusUnprocessableEntity)
			t.post(d.path()+"/snapshot-restore", object{"from": nobody}, as(t.key("read").text("key"))).is(http.StatusForbidden)
			d.get().has("snapshot_restore", nil)
		}),
		choice("ext", "a workspace can be made, renamed and deleted", workspaces),
		choice("ext", "a key is shown once, and works until it is revoked", keyLife),
		choice("ext", "a key does what its scopes allow", keyScopes),
		choice("ext", "a key that may read secrets gets them in clear", func(t *T) {
			d := t.create(object{"secrets": pairs("ONE")})
			wanted := object{"name": t.name(), "scopes": []string{"read", "secrets:read"}}
			reader := t.post("/v1/api-keys", wanted)
			if reader.status == http.StatusForbidden && t.target.OrgKey != "" {
				reader = t.post("/v1/api-keys", wanted, as(t.target.OrgKey), header("X-Tenant-Id", d.get().text("tenant_id")))
			}
			if reader.status == http.StatusForbidden {
				t.notRun("no key that was given has the scope secrets:read, which it takes to give it")
			}
			t.get(d.path(), as(reader.is(http.StatusCreated).text("key"))).is(http.StatusOK).has("secrets.0.value", "value of ONE")
			t.get(d.path(), as(t.key("read").text("key"))).is(http.StatusOK)
			t.check(d.get().value("secrets.0.value") != "value of ONE", "a masked value for any other key", "in clear")
		}),
	}
	for i := range cases {
		cases[i] = cases[i].with(extensions)
	}
	return cases
}

func idempotency(t *T) {
	body, once := internal(t.name()), header("Idempotency-Key", t.name())
	one := t.post("/v2/deployments", body, once).is(http.StatusCreated)
	two := t.post("/v2/deployments", body, once).is(http.StatusCreated)
	t.check(one.text("id") == two.text("id"), "the same deployment", two.text("id"))
	d := t.createImage(nil)
	again := header("Idempotency-Key", t.name())
	for range 2 {
		t.patch(d.path(), object{"secrets": pairs("ONE")}, again).is(http.StatusOK)
	}
	t.check(d.count() == 2, "one more revision", d.count())
}

func etags(t *T) {
	d := t.create(nil)
	before := d.get().header.Get("ETag")
	t.check(before != "" && before == d.get().header.Get("ETag"), "the same ETag twice", before)
	t.patch(d.path(), object{"display_name": "a"}, header("If-Match", before)).is(http.StatusOK)
	t.patch(d.path(), object{"display_name": "b"}, header("If-Match", before)).is(http.StatusPreconditionFailed).says()
	d.get().has("display_name", "a")
}

func workspaces(t *T) {
	name := t.name()
	made := t.post("/v1/workspaces", object{"name": name}).is(http.StatusCreated).has("name", name)
	path := "/v1/workspaces/" + made.text("id")
	t.patch(path, object{"name": name + "-b"}).is(http.StatusOK).has("name", name+"-b")
	t.get(path).is(http.StatusOK).has("name", name+"-b")
	t.delete(path).is(http.StatusNoContent)
	t.get(path).is(http.StatusNotFound)
}

// key makes a key of the caller's workspace.
func (t *T) key(scopes ...string) *answer {
	return t.post("/v1/api-keys", object{"name": t.name(), "scopes": scopes}).is(http.StatusCreated)
}

func keyLife(t *T) {
	made := t.key("read")
	token, path := made.text("key"), "/v1/api-keys/"+made.text("id")
	letIn(t, as(token))
	a := t.get(path).is(http.StatusOK)
	t.check(!strings.Contains(string(a.raw), token), "no token", "the token")
	t.delete(path).is(http.StatusNoContent)
	t.get(list, as(token)).is(http.StatusUnauthorized)
}

func keyScopes(t *T) {
	token := as(t.key("read").text("key"))
	d := t.create(nil)
	t.get(d.path(), token).is(http.StatusOK)
	t.patch(d.path(), object{}, token).is(http.StatusForbidden).says("deploy")
	t.delete(d.path(), token).is(http.StatusForbidden).says("delete")
	t.get("/v1/api-keys", token).is(http.StatusForbidden).says("admin")
}

// firstEvent is the name of the first event of a stream.
func (t *T) firstEvent(path string) string {
	ctx, cancel := context.WithTimeout(t.ctx, answerWithin)
	defer cancel()
	t.last = "GET " + path
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, t.target.URL+path, nil)
	if err != nil {
		t.stop("an address", err.Error())
	}
	ask.Header.Set("X-Api-Key", t.target.Key)
	resp, err := t.http.Do(ask)
	if err != nil {
		t.stop("a stream", hideQuery(err).Error())
	}
	defer resp.Body.Close()
	t.check(strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"), "text/event-stream", resp.Header.Get("Content-Type"))
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event:"); ok {
			return strings.TrimSpace(name)
		}
	}
	return ""
}
