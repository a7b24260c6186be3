package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway"
)

// besieged is a gateway before an agent that speaks as it likes, and one beside
// it that must not notice.
func besieged(t *testing.T, speak func(net.Conn, *bufio.Reader)) *world {
	t.Helper()
	w := behind(t, gateway.Config{DialLimit: time.Millisecond}, time.Minute)
	w.Route(route(rawAgent(t, speak)))
	beside := route(agentAt(t, copyBody))
	beside.Deployment, beside.Slug = other, "beside"
	w.Route(beside)
	return w
}

// neighbourIsWell asks the other deployment, with a body and over a new
// connection too.
func (w *world) neighbourIsWell(t *testing.T) {
	t.Helper()
	for range 3 {
		w.send("POST", "/d/beside/x", strings.NewReader("well")).want(t, 200, "well")
	}
	answer := w.raw("GET /d/beside/x HTTP/1.1\nHost: h\nX-Api-Key: good\nConnection: close\n\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 200") {
		t.Errorf("the neighbour: %.60q", answer)
	}
}

// 2 GB pass through, in the memory of some buffers.
func TestAnEndlessAnswerNeedsLittleMemory(t *testing.T) {
	const total, most = 2 << 30, 64 << 20
	var peak atomic.Uint64
	chunk := make([]byte, 1<<20)
	w := besieged(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", total)
		for sent := 0; sent < total; sent += len(chunk) {
			if _, err := c.Write(chunk); err != nil {
				return
			}
			if sent%(64<<20) == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapInuse))
			}
		}
	})
	res, err := w.client.Do(w.request("GET", "/d/app/x", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	half, err := io.CopyN(io.Discard, res.Body, total/2)
	if err != nil {
		t.Fatal(err)
	}
	w.neighbourIsWell(t)
	rest, err := io.Copy(io.Discard, res.Body)
	if half+rest != total || err != nil {
		t.Errorf("%d bytes, %v", half+rest, err)
	}
	if p := peak.Load(); p > most || p == 0 {
		t.Errorf("%d MiB of memory", p>>20)
	}
	w.idle()
}

// A client that does not read stops its agent, and nobody else.
func TestAClientThatDoesNotRead(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	w := besieged(t, func(c net.Conn, r *bufio.Reader) {
		defer close(ended)
		http.ReadRequest(r)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
		close(began)
		for {
			if _, err := c.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	})
	c := w.dial()
	io.WriteString(c, "GET /d/app/x HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\n\r\n")
	<-began
	w.neighbourIsWell(t)
	c.Close()
	<-ended
	w.idle()
}

// An agent that never answers holds its clients, and gives them back.
func TestAgentsThatNeverAnswer(t *testing.T) {
	const many = 100
	asked := make(chan struct{}, many)
	w := besieged(t, func(_ net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		asked <- struct{}{}
		io.Copy(io.Discard, r)
	})
	var clients []net.Conn
	for range many {
		c := w.dial()
		io.WriteString(c, "GET /d/app/x HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\n\r\n")
		clients = append(clients, c)
	}
	for range many {
		<-asked
	}
	w.neighbourIsWell(t)
	if n := w.Traffic(id); n.InFlight != many || w.Traffic(other).InFlight != 0 {
		t.Errorf("%+v", n)
	}
	for _, c := range clients {
		c.Close()
	}
	w.idle()
	if n := w.Traffic(id); n.Errors != 0 {
		t.Errorf("clients that left are errors: %+v", n)
	}
}

// Streams of one deployment do not take all files: so many are let in, half as many
// of those without a key, whoever has one first.
func TestOpenRequestsAreBounded(t *testing.T) {
	began, end := make(chan struct{}), make(chan struct{})
	w := behind(t, gateway.Config{MaxOpen: 4}, time.Minute)
	public := route(agentAt(t, func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-end
	}))
	public.Public = true
	w.Route(public)
	beside := route(agentAt(t, copyBody))
	beside.Deployment, beside.Slug = other, "beside"
	w.Route(beside)
	codes := make(chan int, 4)
	for _, as := range []edit{noKey, noKey, header("X-Api-Key", "good"), header("X-Api-Key", "reader")} {
		go func() { codes <- w.get("/d/app/stream", as).StatusCode }()
		<-began
		if n := w.Traffic(id).InFlight; n >= 2 {
			w.get("/d/app/x", noKey).want(t, 503, "requests open")
		}
	}
	full := w.get("/d/app/x")
	if full.want(t, 503, "limit of open files"); full.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.neighbourIsWell(t)
	close(end)
	for range 4 {
		if code := <-codes; code != 200 {
			t.Error(code)
		}
	}
	w.idle()
	go func() { <-began }()
	w.get("/d/app/x", noKey).want(t, 200, "")
}

// Agents that break off, at every point of an answer.
func TestAgentsThatBreakOff(t *testing.T) {
	const whole = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	var upTo atomic.Int64
	w := besieged(t, func(c net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		io.WriteString(c, whole[:upTo.Load()])
	})
	for n := range len(whole) {
		upTo.Store(int64(n))
		a, err := w.do(w.request("POST", "/d/app/x", strings.NewReader("body")))
		if err == nil && a.StatusCode != 502 {
			t.Errorf("after %d bytes: %d %q looks whole", n, a.StatusCode, a.body)
		}
	}
	upTo.Store(int64(len(whole)))
	w.get("/d/app/x").want(t, 200, "hello")
	w.neighbourIsWell(t)
	w.idle()
}

// Clients that break off in the middle of what they send.
func TestClientsThatBreakOff(t *testing.T) {
	got := make(chan error, 1)
	w := besieged(t, func(_ net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, req.Body)
		got <- err
	})
	for _, text := range []string{
		"Content-Length: 1000000\r\n\r\nbody",
		"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n",
		"Transfer-Encoding: chunked\r\n\r\nffff\r\nbody",
	} {
		c := w.dial()
		io.WriteString(c, "POST /d/app/x HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\n"+text)
		w.await(func(n slipway.Traffic) bool { return n.InFlight == 1 })
		c.Close()
		if err := <-got; err == nil {
			t.Errorf("%q: the agent took half a body for a whole one", text)
		}
		w.idle()
	}
	w.neighbourIsWell(t)
}

// A client that never comes to the end of its header is left in time.
func TestSlowHeaders(t *testing.T) {
	w := behind(t, gateway.Config{}, 100*time.Millisecond)
	w.Route(route(agentAt(t, echo)))
	var slow sync.WaitGroup
	for range 50 {
		slow.Go(func() {
			c := w.dial()
			defer c.Close()
			io.WriteString(c, "GET /d/app/x HTTP/1.1\r\nHost: h\r\nX-A: ")
			if answer, _ := io.ReadAll(c); strings.HasPrefix(string(answer), "HTTP/1.1 200") {
				t.Errorf("%q", answer)
			}
		})
	}
	w.get("/d/app/x").want(t, 200, "")
	slow.Wait()
}

// 30 MB are refused at once where they are announced, and at the limit where not;
// nothing is kept of them.
func TestBodiesAboveTheLimit(t *testing.T) {
	var reached atomic.Int64
	w := behind(t, gateway.Config{}, time.Minute)
	w.Route(route(agentAt(t, func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		reached.Add(n)
	})))
	const size = 30 << 20
	for name, body := range map[string]io.Reader{
		"known":   strings.NewReader(strings.Repeat("x", size)),
		"chunked": io.MultiReader(strings.NewReader(strings.Repeat("x", size))),
	} {
		reached.Store(0)
		a := w.send("POST", "/d/app/x", body)
		a.want(t, 413, "26214400 bytes")
		if n := reached.Load(); name == "known" && n != 0 || n > 25<<20 {
			t.Errorf("%s: %d bytes reached the agent", name, n)
		}
	}
	w.idle()
}

// A client that stops in the middle of its body is left in time, whether its
// request is passed on, held, or refused. One that is only slow is not.
func TestSlowBodies(t *testing.T) {
	const idle = 50 * time.Millisecond
	w := behind(t, gateway.Config{BodyIdle: idle}, time.Minute)
	w.Route(route(agentAt(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
	})))
	held := holding()
	held.Deployment, held.Slug = other, "held"
	w.Route(held)
	for name, c := range map[string]struct {
		path, header string
		status       int
	}{
		"passed on": {"/d/app/x", "X-Api-Key: good\r\nContent-Length: 9", 408},
		"chunked":   {"/d/app/x", "X-Api-Key: good\r\nTransfer-Encoding: chunked", 408},
		"large":     {"/d/app/x", "X-Api-Key: good\r\nContent-Length: 9000000", 408},
		"held":      {"/d/held/x", "X-Api-Key: good\r\nContent-Length: 9", 408},
		"refused":   {"/d/app/x", "X-Api-Key: bad\r\nContent-Length: 9", 401},
	} {
		t.Run(name, func(t *testing.T) {
			conn := w.dial()
			defer conn.Close()
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n4\r\n", c.path, c.header)
			r := bufio.NewReader(conn)
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status || !strings.Contains(string(text), "detail") {
				t.Errorf("%d %s", res.StatusCode, text)
			}
			if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
				t.Errorf("the connection goes on: %q %v", rest, err)
			}
			w.idle()
		})
	}
	if log := w.log.String(); strings.Contains(log, "does not answer") {
		t.Errorf("the agent is blamed:\n%s", log)
	}
}

// pipedClient is one whose body comes through a pipe.
type pipedClient struct {
	*httptest.ResponseRecorder
	body net.Conn
}

func (c pipedClient) SetReadDeadline(t time.Time) error { return c.body.SetReadDeadline(t) }

// What keeps coming may take as long as it likes; what stops may not.
func TestBodiesThatKeepComing(t *testing.T) {
	for name, c := range map[string]struct {
		writes, status int
		after          time.Duration
	}{
		"to its end":  {100, 503, 100*50*time.Second + time.Minute}, // held in vain afterwards
		"to a middle": {99, 408, 99*50*time.Second + time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := bare(gateway.Config{})
				defer g.Close()
				g.Route(holding())
				ours, theirs := net.Pipe()
				defer theirs.Close()
				go func() {
					for range c.writes {
						time.Sleep(50 * time.Second)
						theirs.Write([]byte("x"))
					}
				}()
				r := httptest.NewRequestWithContext(t.Context(), "POST", "/d/app/x", ours)
				r.ContentLength = 100
				r.Body = io.NopCloser(io.LimitReader(ours, 100))
				r.Header.Set("X-Api-Key", "good")
				client := pipedClient{httptest.NewRecorder(), ours}
				began := time.Now()
				g.ServeHTTP(client, r)
				if took := time.Since(began); client.Code != c.status || took != c.after {
					t.Errorf("%d %s after %v", client.Code, client.Body, took)
				}
			})
		})
	}
}
