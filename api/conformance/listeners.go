package conformance

import (
	"net/http"
	"slices"
	"strings"
)

func listenerCases() []Case {
	return []Case{
		fact("§7", "a listener has the published members", func(t *T) {
			l := t.listener()
			for _, a := range []*answer{l.made, t.get(l.path())} {
				a.matches("id", idPattern).has("compute_type", "k8s").has("compute_id", l.computeID).
					has("compute_config.k8s_namespaces", []any{"one", "two"}).holds("version").
					matches("created_at", `^\d{4}-\d\d-\d\dT`).matches("updated_at", `^\d{4}-\d\d-\d\dT`)
			}
		}),
		fact("§7", "a listener is listed", func(t *T) {
			l := t.listener()
			a := t.get("/v2/listeners?limit=100").is(http.StatusOK)
			t.check(slices.Contains(a.under("resources", "id"), any(l.id)), "a list with "+l.id, a.String())
			a.has("offset", len(a.list("resources")))
		}),
		fact("§7", "listeners come in pages", func(t *T) {
			t.listener()
			second := t.listener()
			a := t.get("/v2/listeners?limit=1").is(http.StatusOK).has("offset", 1).has("resources.0.id", second.id)
			b := t.get("/v2/listeners?limit=1&offset=1").is(http.StatusOK).has("offset", 2)
			t.check(b.text("resources.0.id") != a.text("resources.0.id"), "another listener", b.String())
		}),
		fact("§7", "a second one for a cluster is 409", func(t *T) {
			l := t.listener()
			tenant := t.create(nil).made.text("tenant_id")
			a := t.post("/v2/listeners", newListener(l.computeID)).is(http.StatusConflict).
				has("detail", "Listener for LangSmith workspace ID '"+tenant+"' and compute ID '"+l.computeID+"' already exists.")
			t.check(a.header.Get("X-Should-Retry") == "false", "x-should-retry: false", a.header)
		}),
		fact("§7", "an unknown listener is 404", func(t *T) {
			text := "Listener ID " + nobody + " not found."
			t.get("/v2/listeners/"+nobody).is(http.StatusNotFound).has("detail", text)
			t.patch("/v2/listeners/"+nobody, object{}).is(http.StatusNotFound).has("detail", text)
			t.delete("/v2/listeners/"+nobody).is(http.StatusNotFound).has("detail", text)
		}),
		fact("§7", "a malformed listener id is 422", func(t *T) {
			t.get("/v2/listeners/nonsense").is(http.StatusUnprocessableEntity).has("detail.0.type", "uuid_parsing").has("detail.0.loc", []any{"path", "listener_id"})
		}),
		fact("§7", "PATCH changes version and namespaces", func(t *T) {
			l := t.listener()
			t.patch(l.path(), object{"version": "1.2.3", "compute_config": object{"k8s_namespaces": []any{"three"}}}).is(http.StatusOK).
				has("version", "1.2.3").has("compute_config.k8s_namespaces", []any{"three"}).has("compute_id", l.computeID)
			t.get(l.path()).is(http.StatusOK).has("version", "1.2.3").has("compute_config.k8s_namespaces", []any{"three"})
		}),
		fact("§7", "nulls in PATCH change nothing", func(t *T) {
			l := t.listener()
			t.patch(l.path(), object{"version": "1"}).is(http.StatusOK)
			t.patch(l.path(), object{"version": nil, "compute_config": nil}).is(http.StatusOK).has("version", "1").has("compute_config.k8s_namespaces", []any{"one", "two"})
		}),
		fact("§7", "DELETE ends a listener", func(t *T) {
			l := t.listener()
			t.delete(l.path()).is(http.StatusNoContent)
			t.get(l.path()).is(http.StatusNotFound).has("detail", "Listener ID "+l.id+" not found.")
			t.post("/v2/listeners", newListener(l.computeID)).is(http.StatusCreated)
		}),
		fact("§7", "another workspace's listener is 404", func(t *T) {
			l, other := t.listener(), as(t.target.OtherKey)
			t.get(l.path(), other).is(http.StatusNotFound)
			t.patch(l.path(), object{}, other).is(http.StatusNotFound)
			t.delete(l.path(), other).is(http.StatusNotFound)
			t.post("/v2/listeners", newListener(l.computeID), other).is(http.StatusCreated)
		}).with(otherKey),
		fact("§3", "with listeners, an image must name one", func(t *T) {
			l := t.listener()
			body := with(t.image(nil), object{"source_config": object{"resource_spec": object{}}})
			t.post("/v2/deployments", body).is(http.StatusBadRequest).
				says("Source configuration error: 'source_config.listener_id' is required for workspace with available listener IDs: [", "'"+l.id+"'")
		}),
		fact("§3", "an image is placed on a listener, and stays there", func(t *T) {
			one, two := t.listener(), t.listener()
			d := t.createFrom(with(t.image(nil), object{"source_config": object{"resource_spec": object{}, "listener_id": one.id, "listener_config": object{"k8s_namespace": "one"}}}))
			d.get().has("source_config.listener_id", one.id).has("source_config.listener_config.k8s_namespace", "one")
			d.patch(object{"source_config": object{"listener_id": two.id}}).is(http.StatusBadRequest).says("listener_id")
			d.patch(object{"source_config": object{"listener_config": object{"k8s_namespace": "two"}}}).is(http.StatusBadRequest).says("k8s_namespace")
			t.delete(d.path()).is(http.StatusNoContent)
		}),
		observed("§3", "an unknown listener_id is refused", func(t *T) {
			t.listener()
			t.post("/v2/deployments", with(t.image(nil), object{"source_config": object{"resource_spec": object{}, "listener_id": nobody}})).
				refused().says(nobody)
		}),
	}
}

type listener struct {
	t             *T
	id, computeID string
	made          *answer
}

func (l *listener) path() string { return "/v2/listeners/" + l.id }

func newListener(computeID string) object {
	return object{"compute_type": "k8s", "compute_id": computeID, "compute_config": object{"k8s_namespaces": []any{"one", "two"}}}
}

// listener makes one. The vendor's cloud lets only some organisations do so.
func (t *T) listener() *listener {
	id := t.name()
	a := t.post("/v2/listeners", newListener(id))
	if a.status == http.StatusForbidden && strings.Contains(string(a.raw), "Listeners cannot be created") {
		t.notRun("this workspace may not create listeners")
	}
	a.is(http.StatusCreated)
	return &listener{t: t, id: a.text("id"), computeID: id, made: a}
}
