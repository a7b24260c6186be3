package conformance

import (
	"net/http"
	"strings"
)

// reserved are the names that a client may not set, allowed those that a
// self-hosted server lets it set (§3).
var (
	reserved = strings.Fields(`
		LANGCHAIN_TRACING_V2 LANGSMITH_TRACING_V2 LANGCHAIN_ENDPOINT LANGCHAIN_PROJECT LANGSMITH_PROJECT LANGSMITH_LANGGRAPH_GIT_REPO
		LANGGRAPH_GIT_REPO_PATH LANGCHAIN_API_KEY LANGSMITH_CONTROL_PLANE_API_KEY POSTGRES_URI POSTGRES_PASSWORD DATABASE_URI
		LANGSMITH_LANGGRAPH_GIT_REF LANGSMITH_LANGGRAPH_GIT_REF_SHA LANGGRAPH_AUTH_TYPE LANGSMITH_AUTH_ENDPOINT LANGSMITH_TENANT_ID
		LANGSMITH_AUTH_VERIFY_TENANT_ID LANGSMITH_HOST_PROJECT_ID LANGSMITH_HOST_PROJECT_NAME LANGSMITH_HOST_REVISION_ID LOG_JSON
		LOG_DICT_TRACEBACKS REDIS_URI LANGCHAIN_CALLBACKS_BACKGROUND DD_TRACE_PSYCOPG_ENABLED DD_TRACE_REDIS_ENABLED
		LANGSMITH_DEPLOYMENT_NAME LANGGRAPH_CLOUD_LICENSE_KEY`)
	allowed = strings.Fields(`
		LANGSMITH_API_KEY LANGSMITH_ENDPOINT POSTGRES_URI_CUSTOM REDIS_URI_CUSTOM MOUNT_PREFIX LSD_ENV LSD_DD_API_KEY LSD_DD_ENDPOINT
		LSD_DEPLOYMENT_TYPE`)
)

func pairs(names ...string) []any {
	all := []any{}
	for _, n := range names {
		all = append(all, object{"name": n, "value": "value of " + n})
	}
	return all
}

func secretCases() []Case {
	return []Case{
		fact("§3", "reserved variables are refused by name", func(t *T) {
			for _, name := range reserved {
				t.post("/v2/deployments", with(internal(t.name()), object{"secrets": pairs(name)})).is(http.StatusBadRequest).says(name)
			}
		}),
		fact("§3", "reserved variables are refused in PATCH too", func(t *T) {
			d := t.createImage(nil)
			d.patch(object{"secrets": pairs("FINE", "POSTGRES_URI")}).is(http.StatusBadRequest).says("POSTGRES_URI")
			d.get().has("secrets", []any{})
		}),
		fact("§3", "what self-hosted servers allow is taken", func(t *T) {
			d := t.create(object{"secrets": pairs(allowed...)})
			t.secretNames(d, allowed...)
		}),
		choice("§3", "values come back masked, never null", func(t *T) {
			d := t.create(object{"secrets": pairs("ONE", "TWO")})
			for _, a := range []*answer{d.made, d.get(), d.patch(object{"display_name": "a"})} {
				for i := range 2 {
					value, ok := lookup(a.list("secrets"), []string{"0.value", "1.value"}[i])
					text, isText := value.(string)
					t.check(ok && isText && text != "" && !strings.Contains(text, "value of"), "a masked value", a.value("secrets"))
				}
			}
		}),
		choice("§3", "every name comes back once", func(t *T) {
			d := t.create(object{"secrets": pairs("ONE", "TWO", "ONE")})
			t.secretNames(d, "ONE", "TWO")
		}),
		fact("§3", "a set replaces the whole", func(t *T) {
			d := t.createImage(object{"secrets": pairs("ONE", "TWO")})
			d.patch(object{"secrets": pairs("THREE")}).is(http.StatusOK)
			t.secretNames(d, "THREE")
		}),
		fact("§3", "left out or empty, the set stays", func(t *T) {
			d := t.createImage(object{"secrets": pairs("ONE")})
			for _, body := range []object{{"display_name": "a"}, {"secrets": []any{}}, {"secrets": nil}} {
				d.patch(body).is(http.StatusOK)
				t.secretNames(d, "ONE")
			}
		}),
		choice("§3", "a masked value sent back is taken", func(t *T) {
			d := t.createImage(object{"secrets": pairs("ONE", "TWO")})
			d.patch(object{"secrets": d.get().value("secrets")}).is(http.StatusOK)
			t.secretNames(d, "ONE", "TWO")
		}),
		fact("§3", "a database of the user's stays set", func(t *T) {
			d := t.createImage(object{"secrets": pairs("POSTGRES_URI_CUSTOM", "REDIS_URI_CUSTOM", "ONE")})
			d.patch(object{"secrets": pairs("TWO")}).is(http.StatusOK)
			t.secretNames(d, "POSTGRES_URI_CUSTOM", "REDIS_URI_CUSTOM", "TWO")
		}),
		fact("§3", "references are kept, and cleared by an empty list", func(t *T) {
			ref := []any{object{"name": "A", "secret_name": "s", "secret_key": "k"}}
			d := t.createImage(object{"secret_references": ref})
			d.get().has("secret_references", ref)
			d.patch(object{"display_name": "a", "secret_references": nil}).is(http.StatusOK)
			d.get().has("secret_references", ref)
			d.patch(object{"secret_references": []any{}}).is(http.StatusOK)
			left := d.get().value("secret_references")
			list, _ := left.([]any)
			t.check(len(list) == 0, "no reference", left)
		}),
	}
}

// secretNames checks which names a deployment has, in any order.
func (t *T) secretNames(d *deployment, want ...string) {
	seen := map[any]int{}
	for _, name := range d.get().under("secrets", "name") {
		seen[name]++
	}
	for _, name := range want {
		t.check(seen[name] == 1, "the name "+name+" once", seen[name])
		delete(seen, name)
	}
	t.check(len(seen) == 0, "no other name than "+strings.Join(want, ", "), len(seen))
}
