package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway"
)

// Each event has to arrive before the next is sent: the agent waits for the
// client to say so.
func TestEventsAreFlushed(t *testing.T) {
	for _, kind := range []string{"text/event-stream", "text/event-stream; charset=utf-8", "application/json"} {
		seen := make(chan struct{})
		w := serving(t, gateway.Config{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			for i := range 5 {
				fmt.Fprintf(w, "data: %d\n", i)
				http.NewResponseController(w).Flush()
				select {
				case <-seen:
				case <-r.Context().Done():
				}
			}
		})
		res, err := w.client.Do(w.request("POST", "/d/app/runs/stream", strings.NewReader("{}")))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(res.Body)
		for i := range 5 {
			if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d", i) {
				t.Fatalf("%s: event %d: %q %v", kind, i, lines.Text(), lines.Err())
			}
			seen <- struct{}{}
		}
		if lines.Scan() || lines.Err() != nil {
			t.Errorf("%s: %q %v", kind, lines.Text(), lines.Err())
		}
		res.Body.Close()
	}
}

// Headers have to arrive before the first byte of the body.
func TestHeadersAreFlushed(t *testing.T) {
	seen := make(chan struct{})
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Location", "/threads/t/runs/r")
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		<-seen
		io.WriteString(w, "end")
	})
	res, err := w.client.Do(w.request("POST", "/d/app/runs/wait", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.Header.Get("Content-Location") == "" {
		t.Error("no Content-Location")
	}
	close(seen)
	if b, err := io.ReadAll(res.Body); string(b) != "end" || err != nil {
		t.Errorf("%q %v", b, err)
	}
}

func TestAgentSeesTheClientLeave(t *testing.T) {
	began, left := make(chan struct{}), make(chan struct{})
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		close(began)
		<-r.Context().Done()
		close(left)
	})
	ctx, cancel := context.WithCancel(t.Context())
	res, err := w.client.Do(w.request("GET", "/d/app/stream", nil).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	<-began
	cancel()
	<-left
	res.Body.Close()
	w.idle()
}

func TestAgentSeesTheClientLeaveBeforeItAnswers(t *testing.T) {
	began, left := make(chan struct{}), make(chan struct{})
	w := serving(t, gateway.Config{}, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(left)
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if res, err := w.client.Do(w.request("GET", "/d/app/join", nil).WithContext(ctx)); err == nil {
			res.Body.Close()
		}
	}()
	<-began
	cancel()
	<-left
	<-done
	w.idle()
	if strings.Contains(w.log.String(), "does not answer") {
		t.Errorf("the agent was blamed: %s", w.log)
	}
}

// A server's timeouts are for its API: a stream outlives them.
func TestServerTimeoutsAreLifted(t *testing.T) {
	const limit = 50 * time.Millisecond
	g := bare(gateway.Config{})
	g.SetReady()
	g.Route(route(agentAt(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).Flush()
		<-time.After(3 * limit)
		io.WriteString(w, "late")
	})))
	s := httptest.NewUnstartedServer(g)
	s.Config.WriteTimeout, s.Config.ReadTimeout = limit, limit
	s.Start()
	defer s.Close()
	w := &world{t: t, url: s.URL, client: s.Client()}
	w.get("/d/app/x").want(t, 200, "late")
}

// half an answer, however it is framed, must not look whole.
func TestAgentDiesInTheMiddle(t *testing.T) {
	for name, answer := range map[string]string{
		"chunked": "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
		"garbage": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n",
	} {
		w := newWorld(t, gateway.Config{})
		w.Route(route(rawAgent(t, func(c net.Conn, r *bufio.Reader) {
			http.ReadRequest(r)
			io.WriteString(c, answer)
		})))
		res, err := w.client.Do(w.request("GET", "/d/app/x", nil))
		if err != nil {
			continue // broken before the headers were out: seen as well
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil {
			t.Errorf("%s: %q looks whole", name, b)
		}
		w.idle()
	}
}

func TestTrailersOfAnswers(t *testing.T) {
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "4")
	})
	if a := w.get("/d/app/x"); a.Trailer.Get("X-Sum") != "4" {
		t.Errorf("%v", a.Trailer)
	}
}

// tunnel is an agent that upgrades and then shouts back line by line.
func tunnel(t *testing.T, ended chan<- struct{}) string {
	return rawAgent(t, func(c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if !strings.EqualFold(req.Header.Get("Upgrade"), "websocket") || req.Header.Get("Sec-Websocket-Key") == "" ||
			req.Header.Get("X-Api-Key") != "" {
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		for lines := bufio.NewScanner(r); lines.Scan(); {
			fmt.Fprintln(c, strings.ToUpper(lines.Text()))
		}
		ended <- struct{}{}
	})
}

const upgrade = "GET /d/app/threads/t/stream/events HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\nConnection: %s\r\nUpgrade: %s\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

func TestWebSocket(t *testing.T) {
	ended := make(chan struct{})
	w := newWorld(t, gateway.Config{})
	w.Route(route(tunnel(t, ended)))
	c := w.dial()
	defer c.Close()
	fmt.Fprintf(c, upgrade, "keep-alive, Upgrade", "WebSocket")
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("%v %v", res, err)
	}
	for _, line := range []string{"one", "two", "three"} {
		fmt.Fprintln(c, line)
		if got, err := r.ReadString('\n'); strings.TrimSpace(got) != strings.ToUpper(line) {
			t.Fatalf("%q %v", got, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if w.Idle(gone) == nil {
		t.Error("Idle missed an upgraded connection")
	}
	w.Route(holding()) // those that have begun go on
	fmt.Fprintln(c, "four")
	if got, err := r.ReadString('\n'); got != "FOUR\n" {
		t.Fatalf("%q %v", got, err)
	}
	c.Close()
	<-ended
	w.idle()
}

// webSocket opens one to app.
func (w *world) webSocket() (net.Conn, *bufio.Reader) {
	w.t.Helper()
	c := w.dial()
	w.t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(c, upgrade, "Upgrade", "websocket")
	r := bufio.NewReader(c)
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 101 {
		w.t.Fatalf("%v %v", res, err)
	}
	return c, r
}

// What comes by an open WebSocket may make runs. While the deployment hands over it
// waits, like whatever else writes, and what the agent says goes on; then the
// WebSocket ends, and what waited is not sent to the old agent. If the deployment
// stays where it is, it goes on.
func TestWebSocketOverAHandOver(t *testing.T) {
	for _, moves := range []bool{true, false} {
		t.Run(fmt.Sprint("moves: ", moves), func(t *testing.T) {
			asked, say := make(chan string, 2), make(chan string)
			old := rawAgent(t, func(c net.Conn, r *bufio.Reader) {
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
				go func() {
					for text := range say {
						fmt.Fprintln(c, text)
					}
				}()
				for lines := bufio.NewScanner(r); lines.Scan(); {
					asked <- lines.Text()
				}
				close(asked)
			})
			w := newWorld(t, gateway.Config{})
			w.Route(route(old))
			c, r := w.webSocket()
			fmt.Fprintln(c, "before")
			if got := <-asked; got != "before" {
				t.Fatal(got)
			}

			w.Route(in(slipway.RouteHandingOver, old))
			fmt.Fprintln(c, "meanwhile")
			say <- "still here" // it is read after what the client has sent
			if got, err := r.ReadString('\n'); got != "still here\n" {
				t.Fatalf("%q %v", got, err)
			}
			close(say)
			if len(asked) > 0 {
				t.Errorf("reached the old agent while its state is handed over: %s", <-asked)
			}
			if !moves {
				w.Route(route(old))
				if got := <-asked; got != "meanwhile" {
					t.Error(got)
				}
				return
			}
			w.Route(holding())
			if rest, err := io.ReadAll(r); len(rest) > 0 || isTimeout(err) {
				t.Fatalf("goes on: %q %v", rest, err)
			}
			wait(t, w.Drained)
			if got, ok := <-asked; ok {
				t.Errorf("reached the old agent afterwards: %s", got)
			}
		})
	}
}

// One that opens while its deployment goes on elsewhere ends at once.
func TestWebSocketThatOpensTooLate(t *testing.T) {
	asked, open := make(chan struct{}), make(chan struct{})
	w := newWorld(t, gateway.Config{})
	w.Route(route(rawAgent(t, func(c net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		asked <- struct{}{}
		<-open
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		io.Copy(io.Discard, r)
	})))
	c := w.dial()
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(c, upgrade, "Upgrade", "websocket")
	<-asked
	w.Route(holding())
	close(open)
	if _, err := io.ReadAll(c); isTimeout(err) {
		t.Error("goes on")
	}
	w.idle()
}

func TestWebSocketsEndWithTheGateway(t *testing.T) {
	ended := make(chan struct{}, 1)
	w := newWorld(t, gateway.Config{})
	w.Route(route(tunnel(t, ended)))
	_, r := w.webSocket()
	w.Close()
	if _, err := io.ReadAll(r); isTimeout(err) {
		t.Error("goes on")
	}
	<-ended
	w.idle()
}

func TestWebSocketNeedsAKey(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	w.Route(route(tunnel(t, nil)))
	text := strings.ReplaceAll(fmt.Sprintf(upgrade, "Upgrade, close", "websocket"), "good", "bad")
	if got := w.raw(strings.ReplaceAll(text, "\r\n", "\n")); !strings.HasPrefix(got, "HTTP/1.1 401") {
		t.Errorf("%q", got)
	}
}

func TestAgentRefusesTheUpgrade(t *testing.T) {
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) })
	w.get("/d/app/x", header("Connection", "Upgrade"), header("Upgrade", "websocket")).want(t, 403, "")
}

// In any other protocol nobody would check the requests that follow.
func TestNoOtherUpgrade(t *testing.T) {
	w := serving(t, gateway.Config{}, headers)
	for _, protocol := range []string{"h2c", "h2c, websocket", "TLS/1.0"} {
		h := w.get("/d/app/x", header("Connection", "Upgrade, HTTP2-Settings"),
			header("Upgrade", protocol), header("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")).headers(t)
		if h["Upgrade"] != nil || h["Http2-Settings"] != nil {
			t.Errorf("%s: %v", protocol, h)
		}
	}
}

// An agent may answer before it has read its request: the rest of both goes on.
func TestAnAnswerThatOvertakesItsRequest(t *testing.T) {
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, r *http.Request) {
		answer := http.NewResponseController(w)
		if err := answer.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusOK)
		answer.Flush()
		io.Copy(w, r.Body)
	})
	rest, send := io.Pipe()
	defer rest.Close()
	r := w.request("POST", "/d/app/runs/wait", rest)
	r.ContentLength = int64(len("early late"))
	go io.WriteString(send, "early ")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	res, err := w.client.Do(r.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	go func() {
		io.WriteString(send, "late")
		send.Close()
	}()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "early late" {
		t.Errorf("the answer is %q, %v", body, err)
	}
}
