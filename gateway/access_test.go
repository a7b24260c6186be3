package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway"
)

// credentials answers with those that arrive.
func credentials(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "key=%q auth=%q", r.Header["X-Api-Key"], r.Header["Authorization"])
}

func TestKeys(t *testing.T) {
	w := serving(t, gateway.Config{}, credentials)
	const none = `key=[] auth=[]`
	for _, c := range []struct {
		key, auth string
		status    int
		want      string
	}{
		{"good", "", 200, none},
		{"reader", "", 200, none},
		{"", "Bearer good", 200, none},
		{"", "bearer  good ", 200, none},
		{"good", "Bearer good", 200, none},
		{"good", "Bearer foreign", 200, `key=[] auth=["Bearer foreign"]`},
		{"good", "Basic Z29vZA==", 200, `key=[] auth=["Basic Z29vZA=="]`},
		{"foreign", "Bearer good", 200, none},
		{"away", "Bearer good", 200, none},
		{"anywhere", "", 200, none},
		{"agent", "", 200, none},
		{"sibling", "", 404, `{"detail":"Deployment \"app\" not found."}`},
		{"jwt", "", 401, "Invalid API key."},
		{"", "Bearer jwt", 200, none},
		{"", "", 401, `{"detail":"Invalid API key."}`},
		{"foreign", "", 401, `{"detail":"Invalid API key."}`},
		{"", "Bearer foreign", 401, `{"detail":"Invalid API key."}`},
		{"", "Basic good", 401, `{"detail":"Invalid API key."}`},
		{"", "good", 401, `{"detail":"Invalid API key."}`},
		{"delete", "", 403, "scope"},
		{"away", "", 404, `{"detail":"Deployment \"app\" not found."}`},
	} {
		a := w.get("/d/app/x", noKey, func(r *http.Request) {
			if c.key != "" {
				r.Header.Set("X-Api-Key", c.key)
			}
			if c.auth != "" {
				r.Header.Set("Authorization", c.auth)
			}
		})
		a.want(t, c.status, c.want)
	}
}

func TestUnknownNamesNeedAKeyToo(t *testing.T) {
	w := serving(t, gateway.Config{}, echo)
	w.get("/d/nobody/x", noKey).want(t, 401, "Invalid API key.")
	known := w.get("/d/app/x", header("X-Api-Key", "away"))
	unknown := w.get("/d/nobody/x", header("X-Api-Key", "away"))
	if strings.ReplaceAll(unknown.body, "nobody", "app") != known.body {
		t.Errorf("%q tells from %q", known.body, unknown.body)
	}
}

func TestCredentialsComeOnce(t *testing.T) {
	w := serving(t, gateway.Config{}, credentials)
	w.get("/d/app/x", func(r *http.Request) { r.Header.Add("X-Api-Key", "other") }).want(t, 400, "credential")
	w.get("/d/app/x", func(r *http.Request) {
		r.Header["Authorization"] = []string{"Bearer foreign", "Bearer good"}
	}).want(t, 400, "credential")
}

func TestHealthNeedsNoKey(t *testing.T) {
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Method+" "+r.RequestURI+r.Header.Get("Authorization"))
	})
	w.get("/d/app/ok", noKey).want(t, 200, "GET /ok")
	w.send("HEAD", "/d/app/ok", nil, noKey).want(t, 200, "")
	if a := w.get("/d/app/ok?check_db=1", noKey, header("Authorization", "Bearer good")); a.body != "GET /ok" {
		t.Errorf("%q", a.body)
	}
	for _, r := range []*http.Request{
		w.request("POST", "/d/app/ok", nil, noKey),
		w.request("GET", "/d/app/ok", strings.NewReader("body"), noKey),
		w.request("GET", "/d/app/ok", nil, noKey, header("Upgrade", "websocket"), header("Connection", "Upgrade")),
		w.request("GET", "/d/app/ok/", nil, noKey),
		w.request("GET", "/d/app/%6fk", nil, noKey),
		w.request("OPTIONS", "/d/app/x", nil, noKey),
		w.request("OPTIONS", "/d/app/x", nil, noKey, header("Origin", "https://a.test")),
	} {
		a, err := w.do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.want(t, 401, "Invalid API key.")
	}
}

func TestPreflightsNeedNoKey(t *testing.T) {
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://a.test")
		w.WriteHeader(204)
	})
	a := w.send("OPTIONS", "/d/app/x", nil, noKey,
		header("Origin", "https://a.test"), header("Access-Control-Request-Method", "POST"))
	a.want(t, 204, "")
	if got := a.Header.Values("Access-Control-Allow-Origin"); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestUnusualMethods(t *testing.T) {
	w := serving(t, gateway.Config{}, echo)
	w.send("TRACE", "/d/app/x", nil).want(t, 501, "TRACE")
	if got := w.raw("CONNECT /d/app/x HTTP/1.1\nHost: h\nX-Api-Key: good\nConnection: close\n\n"); !strings.HasPrefix(got, "HTTP/1.1 501") {
		t.Errorf("%q", got)
	}
}

// alone serves a request without sockets.
func alone(g *gateway.Gateway, method, path, key string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if key != "" {
		r.Header.Set("X-Api-Key", key)
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

func TestVerdictsAreKeptForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccess()
		g := gateway.New(gateway.Config{Identifier: a, KeyTTL: 3 * time.Second})
		g.SetReady()
		ask := func(key string, status int, asked int64) {
			t.Helper()
			if got := alone(g, "GET", "/d/nobody/", key).Code; got != status || a.asked.Load() != asked {
				t.Errorf("%d after %d questions, want %d after %d", got, a.asked.Load(), status, asked)
			}
		}
		ask("good", 404, 1)
		ask("good", 404, 1)
		ask("bad", 401, 2)
		ask("bad", 401, 2)
		a.revoke("good")
		ask("good", 404, 2)
		g.ForgetKeys()
		ask("good", 401, 3)
		<-time.After(4 * time.Second)
		ask("bad", 401, 4)
	})
}

// A key that is in use is looked at again before its verdict ends, and nobody
// waits for that. What comes of it holds; what does not come changes nothing.
func TestVerdictsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccess()
		slow := &slowAccess{access: a, gate: make(chan struct{}, 1)}
		g := gateway.New(gateway.Config{Identifier: slow, KeyTTL: 4 * time.Second})
		g.SetReady()
		ask := func(status int, asked int64) {
			t.Helper()
			got := alone(g, "GET", "/d/nobody/", "good").Code
			synctest.Wait()
			if got != status || a.asked.Load() != asked {
				t.Errorf("%d after %d questions, want %d after %d", got, a.asked.Load(), status, asked)
			}
		}
		slow.gate <- struct{}{}
		ask(404, 1)
		<-time.After(2 * time.Second)
		ask(404, 1) // young
		<-time.After(1500 * time.Millisecond)
		ask(404, 1) // asks, without an answer
		ask(404, 1) // does not ask again
		slow.gate <- struct{}{}
		synctest.Wait()
		ask(404, 2)
		<-time.After(2 * time.Second)
		ask(404, 2) // beyond the end of the first

		<-time.After(1500 * time.Millisecond) // asks, but is forgotten meanwhile
		ask(404, 2)
		g.ForgetKeys()
		slow.gate <- struct{}{}
		synctest.Wait()
		a.revoke("good")
		slow.gate <- struct{}{}
		ask(401, 4)
	})
}

// A verdict is not served beyond its time because the next one is late.
func TestVerdictsEndWhileTheyAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccess()
		slow := &slowAccess{access: a, gate: make(chan struct{}, 1)}
		g := gateway.New(gateway.Config{Identifier: slow, KeyTTL: 4 * time.Second})
		g.SetReady()
		slow.gate <- struct{}{}
		alone(g, "GET", "/d/nobody/", "good")
		<-time.After(3500 * time.Millisecond)
		alone(g, "GET", "/d/nobody/", "good") // asks, without an answer
		a.revoke("good")
		<-time.After(time.Second)
		ended := make(chan int)
		go func() { ended <- alone(g, "GET", "/d/nobody/", "good").Code }()
		synctest.Wait()
		select {
		case code := <-ended:
			t.Errorf("%d without a verdict", code)
		default:
			close(slow.gate)
			if code := <-ended; code != 401 {
				t.Errorf("%d", code)
			}
		}
	})
}

// slowAccess answers a question when there is something in its gate.
type slowAccess struct {
	*access
	gate chan struct{}
}

func (s *slowAccess) Identify(ctx context.Context, c slipway.Credential) (slipway.Identity, error) {
	<-s.gate
	return s.access.Identify(ctx, c)
}

func TestFailedQuestionsAreNotKept(t *testing.T) {
	a := newAccess()
	g := gateway.New(gateway.Config{Identifier: a})
	g.SetReady()
	a.fail.Store(true)
	if w := alone(g, "GET", "/d/nobody/", "good"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	a.fail.Store(false)
	if w := alone(g, "GET", "/d/nobody/", "good"); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Agents stay within reach of who had a good key while nobody can say whether it
// still is, for a time: in use or not, but not beyond its end, nor if it was
// revoked here.
func TestGoodKeysStandWhileNoneCanBeChecked(t *testing.T) {
	for name, c := range map[string]struct {
		every, until time.Duration // between requests; the key's end, 0 for none
		last         time.Duration // at which it may pass, at the latest
	}{
		"in use":          {time.Second, 0, 10 * time.Minute},
		"now and then":    {3 * time.Minute, 0, 10 * time.Minute},
		"that ends first": {time.Second, time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAccess()
				began := time.Now()
				if c.until != 0 {
					key := a.keys["good"]
					key.Until = began.Add(c.until)
					a.keys["good"] = key
				}
				g := gateway.New(gateway.Config{Identifier: a, KeyTTL: 2 * time.Second})
				g.SetReady()
				ask := func(key string, status int) {
					t.Helper()
					if got := alone(g, "GET", "/d/nobody/", key).Code; got != status {
						t.Errorf("%s: %d after %v, want %d", key, got, time.Since(began), status)
					}
					synctest.Wait()
				}
				ask("good", 404)
				a.fail.Store(true)
				for time.Since(began)+c.every < c.last {
					<-time.After(c.every)
					ask("good", 404)
				}
				ask("reader", 503) // never seen
				<-time.After(c.every)
				ask("good", 503)
			})
		})
	}
}

func TestKeysThatStandAreGivenUp(t *testing.T) {
	for name, giveUp := range map[string]func(*gateway.Gateway, *access) int{
		"forgotten here":    func(g *gateway.Gateway, _ *access) int { g.ForgetKeys(); return 503 },
		"revoked elsewhere": func(_ *gateway.Gateway, a *access) int { a.fail.Store(false); return 401 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAccess()
				g := gateway.New(gateway.Config{Identifier: a, KeyTTL: 2 * time.Second})
				g.SetReady()
				ask := func() int {
					code := alone(g, "GET", "/d/nobody/", "good").Code
					synctest.Wait()
					return code
				}
				ask()
				a.fail.Store(true)
				<-time.After(3 * time.Second)
				if code := ask(); code != 404 {
					t.Fatalf("does not stand: %d", code)
				}
				a.revoke("good")
				want := giveUp(g, a)
				<-time.After(2 * time.Second)
				ask() // asks
				if code := ask(); code != want {
					t.Errorf("%d, want %d", code, want)
				}
			})
		})
	}
}

// An operator reads once that keys can not be checked, and why.
func TestThatKeysCanNotBeCheckedIsLoggedOnce(t *testing.T) {
	w := serving(t, gateway.Config{KeyTTL: time.Nanosecond}, echo)
	for _, failing := range []bool{false, true, true} {
		w.access.fail.Store(failing)
		w.get("/d/app/x").want(t, 200, "")
	}
	if log := w.log.String(); strings.Count(log, "can not be checked") != 1 || !strings.Contains(log, io.ErrUnexpectedEOF.Error()) {
		t.Errorf("%s", log)
	}
	w.access.fail.Store(false)
	w.get("/d/app/x").want(t, 200, "")
	w.log.await("can be checked again")
}

func TestManyAskOnce(t *testing.T) {
	a := newAccess()
	g := gateway.New(gateway.Config{Identifier: a, KeyTTL: time.Hour})
	g.SetReady()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { alone(g, "GET", "/d/nobody/", "good") })
	}
	wg.Wait()
	if n := a.asked.Load(); n != 1 {
		t.Errorf("%d questions", n)
	}
}

func TestVerdictsAreBounded(t *testing.T) {
	a := newAccess()
	g := gateway.New(gateway.Config{Identifier: a, KeyTTL: time.Hour})
	g.SetReady()
	for i := range 5000 {
		alone(g, "GET", "/d/nobody/", fmt.Sprint("bad", i))
	}
	a.asked.Store(0)
	for i := range 5000 {
		alone(g, "GET", "/d/nobody/", fmt.Sprint("bad", i))
	}
	if a.asked.Load() < 5000-4096 {
		t.Errorf("only %d were forgotten", a.asked.Load())
	}
}

func TestNoWorkspaceIsNobodys(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	r := route(agentAt(t, echo))
	r.Workspace = ""
	w.Route(r)
	w.get("/d/app/", header("X-Api-Key", "anywhere")).want(t, 404, "app")
}

func TestVerdictsEndWithTheirKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccess()
		soon := a.keys["good"]
		soon.Until = time.Now().Add(time.Minute)
		a.keys["good"] = soon
		g := gateway.New(gateway.Config{Identifier: a, KeyTTL: time.Hour})
		g.SetReady()
		alone(g, "GET", "/d/nobody/", "good")
		a.revoke("good")
		<-time.After(59 * time.Second)
		if got := alone(g, "GET", "/d/nobody/", "good").Code; got != 404 {
			t.Errorf("before its end: %d", got)
		}
		<-time.After(2 * time.Second)
		if got := alone(g, "GET", "/d/nobody/", "good").Code; got != 401 {
			t.Errorf("after its end: %d", got)
		}
	})
}
