package gateway_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/gateway"
	"github.com/slipwayhq/slipway/internal/peer"
)

// headers answers with those that arrive.
func headers(w http.ResponseWriter, r *http.Request) {
	r.Header.Set("Host", r.Host)
	json.NewEncoder(w).Encode(r.Header)
}

func (a answered) headers(t *testing.T) http.Header {
	t.Helper()
	var h http.Header
	if err := json.Unmarshal([]byte(a.body), &h); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHeadersThatAgentsTrust(t *testing.T) {
	w := serving(t, gateway.Config{}, headers)
	h := w.get("/d/app/x", func(r *http.Request) {
		for _, name := range []string{
			"X-Auth-Scheme", "x_auth_scheme", "X-Auth_Scheme", "X-Service-Key", "X_SERVICE_KEY", "X_Api_Key",
			"X-Slipway-Principal", "x-slipway_probe", "X-Real-Ip", "X-Forwarded-Prefix", "X-Forwarded-User",
			"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
		} {
			r.Header[name] = []string{"forged"}
		}
		r.Header.Set("X-Tenant-Id", "kept")
		r.Header.Set("X-Other", "kept")
	}).headers(t)
	for name, values := range h {
		if strings.Join(values, "") == "forged" {
			t.Errorf("%s passed", name)
		}
	}
	if h.Get("X-Tenant-Id") != "kept" || h.Get("X-Other") != "kept" {
		t.Errorf("%v", h)
	}
}

func TestForwarded(t *testing.T) {
	for _, c := range []struct {
		trusted                 string
		client, forHost, scheme string
	}{
		{"10.0.0.0/8", "127.0.0.1", "public.test", "http"},
		{"127.0.0.0/8", "192.0.2.1, 127.0.0.1", "before.test", "https"},
	} {
		w := serving(t, gateway.Config{Proxies: peer.Proxies{netip.MustParsePrefix(c.trusted)}}, headers)
		h := w.get("/d/app/x", host("public.test"),
			header("X-Forwarded-For", "192.0.2.1"),
			header("X-Forwarded-Host", "before.test"),
			header("X-Forwarded-Proto", "https"),
			header("Connection", "X-Forwarded-For, X-Forwarded-Host")).headers(t)
		got := []string{h.Get("X-Forwarded-For"), h.Get("X-Forwarded-Host"), h.Get("X-Forwarded-Proto"), h.Get("Host")}
		if want := []string{c.client, c.forHost, c.scheme, "public.test"}; !reflect.DeepEqual(got, want) {
			t.Errorf("trusting %s: %q, want %q", c.trusted, got, want)
		}
	}
}

func TestOurCookiesStayHere(t *testing.T) {
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, r *http.Request) {
		for _, c := range []string{"slipway_session=evil", "__Host-slipway=evil", "theirs=1; Path=/", "more=2"} {
			w.Header().Add("Set-Cookie", c)
		}
		io.WriteString(w, r.Header.Get("Cookie"))
	})
	a := w.get("/d/app/x", header("Cookie", "a=1; slipway_session=s; __Host-Slipway=t;b=2"))
	if a.body != "a=1; b=2" {
		t.Errorf("%q", a.body)
	}
	if got := a.Header["Set-Cookie"]; !reflect.DeepEqual(got, []string{"theirs=1; Path=/", "more=2"}) {
		t.Errorf("%q", got)
	}
	if a := w.get("/d/app/x", header("Cookie", "slipway_session=s")); a.body != "" {
		t.Errorf("%q", a.body)
	}
}

// What a browser takes for the word of an origin passes where the agent has one of
// its own.
func TestAnAgentDoesNotSpeakForAnOriginThatItShares(t *testing.T) {
	said := map[string]string{
		"Service-Worker-Allowed": "/", "Clear-Site-Data": `"*"`, "Strict-Transport-Security": "max-age=1",
	}
	w := serving(t, gateway.Config{Domain: "agents.test"}, func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range said {
			w.Header().Set(name, value)
		}
	})
	shared, own := w.get("/d/app/x"), w.get("/x", host("app.agents.test"))
	for name, value := range said {
		if shared.Header.Get(name) != "" || own.Header.Get(name) != value {
			t.Errorf("%s: %q below /d/, %q at a host of its own", name, shared.Header.Get(name), own.Header.Get(name))
		}
	}
}

func TestAnswersPassUnchanged(t *testing.T) {
	sent := http.Header{
		"Location":                    {"/threads/t/runs/r"},
		"Content-Location":            {"/threads/t/runs/r"},
		"Access-Control-Allow-Origin": {"*"},
		"X-Pagination-Total":          {"3"},
		"Content-Encoding":            {"gzip"},
	}
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, r *http.Request) {
		for k, v := range sent {
			w.Header()[k] = v
		}
		w.WriteHeader(307)
		io.WriteString(w, "not really gzip")
	})
	a := w.get("/d/app/x", header("Accept-Encoding", "gzip"), header("Origin", "https://a.test"))
	a.want(t, 307, "not really gzip")
	for k, v := range sent {
		if !reflect.DeepEqual(a.Header[k], v) {
			t.Errorf("%s: %q", k, a.Header[k])
		}
	}
	for k := range a.Header {
		if strings.HasPrefix(k, "Access-Control-") && sent[k] == nil {
			t.Errorf("%s was added", k)
		}
	}
}

func TestAcceptEncodingIsTheClients(t *testing.T) {
	w := serving(t, gateway.Config{}, headers)
	w.client.Transport.(*http.Transport).DisableCompression = true
	h := w.get("/d/app/x").headers(t)
	for _, name := range []string{"Accept-Encoding", "User-Agent"} {
		if name == "Accept-Encoding" && h[name] != nil {
			t.Errorf("%s: %q", name, h[name])
		}
	}
}
