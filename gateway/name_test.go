package gateway_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway"
)

func TestNames(t *testing.T) {
	w := serving(t, gateway.Config{Domain: "agents.test"}, echo)
	for _, c := range []struct{ host, path, want string }{
		{"", "/d/app/threads?x=1", "/threads?x=1"},
		{"", "/d/app/", "/"},
		{"", "/d/app", "/"},
		{"", "/d/app?x=1", "/?x=1"},
		{"", "/d/" + string(id) + "/ok", "/ok"},
		{"app.agents.test", "/threads", "/threads"},
		{"APP.Agents.Test:8124", "/", "/"},
		{"app.agents.test.", "/d/nobody/x", "/d/nobody/x"},
		{string(id) + ".agents.test", "/ok", "/ok"},
		{"elsewhere.test", "/d/app/ok", "/ok"},
	} {
		w.get(c.path, host(c.host)).want(t, 200, c.want)
	}
}

func TestUnknownNames(t *testing.T) {
	w := serving(t, gateway.Config{Domain: "agents.test"}, echo)
	for _, c := range []struct{ host, path, name string }{
		{"", "/d/nobody/ok", "nobody"},
		{"", "/d/App/ok", "App"},
		{"", "/d/app%2Fx", "app%2Fx"},
		{"deep.app.agents.test", "/ok", "deep.app"},
	} {
		a := w.get(c.path, host(c.host))
		a.want(t, 404, "")
		if !strings.Contains(a.detail(), `"`+c.name+`"`) {
			t.Errorf("%s%s: %q", c.host, c.path, a.detail())
		}
	}
	w.get("/elsewhere").want(t, 404, "Not found.")
}

func TestMatches(t *testing.T) {
	g := gateway.New(gateway.Config{Domain: "agents.test"})
	for url, want := range map[string]bool{
		"http://any/d/app":            true,
		"http://any/d/app/x":          true,
		"http://app.agents.test/":     true,
		"http://a.b.agents.test/v2":   true,
		"http://any/":                 false,
		"http://any/d":                false,
		"http://any/d/":               false,
		"http://any/d//x":             false,
		"http://any/v2/deployments":   false,
		"http://agents.test/":         false,
		"http://notagents.test/":      false,
		"http://any/%64/app/internal": false,
	} {
		if got := g.Matches(httptest.NewRequest("GET", url, nil)); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
}

// What an agent receives is what the client wrote after the name.
func TestPathsArePassedAsTheyCame(t *testing.T) {
	w := serving(t, gateway.Config{}, echo)
	for sent, want := range map[string]string{
		"/threads/a%2Fb/state":     "",
		"/threads/a%2fb/state":     "",
		"/a%20b/%C3%A4":            "",
		"/a//b/":                   "",
		"//a":                      "",
		"/a;v=1/b,c":               "",
		"/a/..b/b..":               "",
		"/a/.../b":                 "",
		"/100%25":                  "",
		"/a?x=%2F..&y;z=%00&k=a|b": "",
		"/threads/a%2Fb|c":         "/threads/a%2Fb%7Cc",
		"/a%2Fb[1]\"":              "/a%2Fb%5B1%5D%22",
		"/a%2Fb\\c":                "/a%2Fb%5Cc",
		"/x/internal":              "",
		"/internals":               "",
		"/internal-tools":          "",
		"/*":                       "",
	} {
		if want == "" {
			want = sent
		}
		got := w.raw("GET /d/app" + sent + " HTTP/1.1\nHost: h\nX-Api-Key: good\nConnection: close\n\n")
		if !strings.HasPrefix(got, "HTTP/1.1 200") || !strings.HasSuffix(got, "\r\n\r\n"+want) {
			t.Errorf("%s: %q, want %q", sent, got, want)
		}
	}
}

func TestPathsThatAreRefused(t *testing.T) {
	w := serving(t, gateway.Config{Domain: "agents.test"}, echo)
	for path, status := range map[string]string{
		"/..":                               "400",
		"/../other":                         "400",
		"/x/../internal":                    "400",
		"/x/%2e%2E/internal":                "400",
		"/x%2f..%2finternal":                "400",
		"/x/..%5cinternal":                  "400",
		"/x\\..\\internal":                  "400",
		"/x/..;a=b/internal":                "400",
		"/x/%252e%252e/internal":            "400",
		"/x/%EF%BC%8E%EF%BC%8E/internal":    "400",
		"/x/%c0%ae%c0%ae/internal":          "400",
		"/x%00":                             "400",
		"/x%2500":                           "400",
		"/x%0a":                             "400",
		"/%252525252525252541":              "400",
		"/internal":                         "404",
		"/internal/":                        "404",
		"/internal/truncate":                "404",
		"/internal?x=1":                     "404",
		"/INTERNAL/truncate":                "404",
		"/InterNal":                         "404",
		"//internal":                        "404",
		"///internal":                       "404",
		"/./internal":                       "404",
		"/.//./internal":                    "404",
		"/%2e/internal":                     "404",
		"/%69nternal":                       "404",
		"/%2569nternal":                     "404",
		"/%252569nternal":                   "404",
		"/%25252569nternal":                 "400",
		"/%2569nternal/%25zz":               "404",
		"/%2Finternal":                      "404",
		"/%2finternal%2ftruncate":           "404",
		"/internal%2ftruncate":              "404",
		"/\\internal":                       "404",
		"/%5Cinternal":                      "404",
		"/internal;x=1/truncate":            "404",
		"/internal%3b/truncate":             "404",
		"/internal%3f":                      "404",
		"/internal%23":                      "404",
		"/internal#":                        "404",
		"/internal%20":                      "404",
		"/%20internal":                      "404",
		"/internal.":                        "404",
		"/%EF%BD%89nternal":                 "404",
		"/\xef\xbd\x89nternal":              "404",
		"/%E3%80%80internal/%E2%80%83../..": "400",
	} {
		for _, head := range []string{"GET /d/app" + path, "POST /d/app" + path, "GET http://app.agents.test" + path} {
			got := w.raw(head + " HTTP/1.1\nHost: h\nX-Api-Key: good\nConnection: close\n\n")
			if !strings.HasPrefix(got, "HTTP/1.1 "+status) {
				t.Errorf("%s: %.60q, want %s", head, got, status)
			}
		}
	}
}

func TestSlugsMove(t *testing.T) {
	w := serving(t, gateway.Config{}, say("old"))
	next := route(agentAt(t, say("new")))
	next.Deployment = other
	w.Route(next) // before the old one is gone, as may happen
	w.get("/d/app/").want(t, 200, "new")
	w.Unroute(id)
	w.get("/d/app/").want(t, 200, "new")
	w.get("/d/"+string(id)+"/").want(t, 404, string(id))

	next.Slug = "renamed"
	w.Route(next)
	w.get("/d/renamed/").want(t, 200, "new")
	w.get("/d/app/").want(t, 404, "app")
	w.get("/d/"+string(other)+"/").want(t, 200, "new")
}

func TestIDsComeBeforeSlugs(t *testing.T) {
	w := serving(t, gateway.Config{}, say("mine"))
	w.Route(slipway.Route{
		Deployment: other, Workspace: "away", Slug: string(id),
		State: slipway.RouteServing, Addresses: []string{agentAt(t, say("theirs"))},
	})
	w.get("/d/"+string(id)+"/").want(t, 200, "mine")
}
