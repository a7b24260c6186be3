package api_test

import (
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
)

const patchPath = "/v2/deployments/" + someID

func TestETag(t *testing.T) {
	_, s := serve(t)
	want := `"` + view.Tag() + `"`
	for _, o := range []request{
		{method: "GET", path: patchPath},
		{method: "PATCH", path: patchPath, body: `{}`},
		{method: "POST", path: "/v2/deployments", body: createBody},
		{method: "POST", path: patchPath + "/revisions/" + otherID + "/redeploy"},
		{method: "POST", path: patchPath + "/database-password"},
	} {
		if _, header, _ := ask(t, s, o.method, o.path, "all", o.body); header.Get("ETag") != want {
			t.Errorf("%s %s: %q, want %q", o.method, o.path, header.Get("ETag"), want)
		}
	}
	if status, _, _ := ask(t, s, "GET", patchPath, "all", "", "If-None-Match", want); status != 200 {
		t.Errorf("If-None-Match: %d; it would hide a new status", status)
	}
}

func TestIfMatch(t *testing.T) {
	c, s := serve(t)
	tag := `"` + view.Tag() + `"`
	for header, want := range map[string]slipway.Code{
		tag: "", "*": "", " * ": "", `"a,b" , ` + tag: "", `W/"x",` + tag: "", "," + tag + ",,": "",
		`"x"`: slipway.CodeStale, "W/" + tag: slipway.CodeStale, `""`: slipway.CodeStale, `"` + strings.ToUpper(view.Tag()) + `"`: slipway.CodeStale,
	} {
		if status, _, body := ask(t, s, "PATCH", patchPath, "all", `{}`, "If-Match", header); status != 200 {
			t.Fatalf("%s: %d %s", header, status, body)
		}
		if got := slipway.CodeOf(slipway.CheckTag(c.ctx, view.Deployment)); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	for _, header := range []string{view.Tag(), `"x`, `"x" "y"`, `w/"x"`, `"x"y`, `*, "x"`} {
		if status, _, body := ask(t, s, "PATCH", patchPath, "all", `{}`, "If-Match", header); status != 400 || !strings.Contains(body, "Invalid If-Match") {
			t.Errorf("%s: %d %s", header, status, body)
		}
	}
}

func TestIdempotencyKey(t *testing.T) {
	c, s := serve(t)
	hash := func(path, body string, headers ...string) string {
		t.Helper()
		c.ctx = t.Context()
		if status, _, answer := ask(t, s, "PATCH", path, "all", body, append(headers, "Idempotency-Key", "k")...); status != 200 {
			t.Fatalf("%s %s: %d %s", path, body, status, answer)
		}
		key, ok := slipway.RequestKeyOf(c.ctx)
		if !ok || key.Value != "k" {
			t.Errorf("%s %s: %+v, %t", path, body, key, ok)
		}
		return key.Hash
	}
	first := hash(patchPath, `{"source_config":{"build_on_push":true}}`)
	if value(c.change.BuildOnPush) != true {
		t.Error("the body did not arrive")
	}
	for name, again := range map[string]string{
		"as it was":         hash(patchPath, `{"source_config":{"build_on_push":true}}`),
		"spelled otherwise": hash(patchPath, ` { "source_config" : {"build_on_push":"yes"} } `),
		"under /api-host":   hash("/api-host"+patchPath, `{"source_config":{"build_on_push":true}}`),
		"with its id large": hash("/v2/deployments/"+strings.ToUpper(someID), `{"source_config":{"build_on_push":true}}`),
	} {
		if again != first {
			t.Errorf("%s: %s, want %s", name, again, first)
		}
	}
	for name, other := range map[string]string{
		"another body": hash(patchPath, `{"source_config":{"build_on_push":false}}`),
		"another path": hash("/v2/deployments/"+otherID, `{"source_config":{"build_on_push":true}}`),
	} {
		if other == first {
			t.Errorf("%s is the same request", name)
		}
	}
	for _, bad := range []string{"", "a b", strings.Repeat("x", 256)} {
		if status, _, body := ask(t, s, "PATCH", patchPath, "all", `{}`, "Idempotency-Key", bad); status != 400 || !strings.Contains(body, "Idempotency-Key") {
			t.Errorf("%q: %d %s", bad, status, body)
		}
	}
	if status, _, body := ask(t, s, "POST", "/v1/projects/"+someID+"/deploy_logs", "all", `{}`, "Idempotency-Key", "a b"); status != 200 {
		t.Errorf("a query takes no key, and is refused for one: %d %s", status, body)
	}
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
