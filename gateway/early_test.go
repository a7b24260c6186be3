package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/gateway"
)

// refusing is an agent that answers each request as soon as it has its header, and
// says which it got.
func refusing(t *testing.T, answer string) (string, <-chan string) {
	got := make(chan string, 16)
	return rawAgent(t, func(c net.Conn, r *bufio.Reader) {
		line, err := r.ReadString('\n')
		for next := line; err == nil && next != "\r\n"; {
			next, err = r.ReadString('\n')
		}
		got <- strings.TrimSpace(line)
		io.WriteString(c, answer)
		io.Copy(io.Discard, r)
	}), got
}

var refusals = map[string]string{
	"of known length": "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno",
	"in chunks":       "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
}

// An answer that comes before its request has ended reaches its client, whole,
// while that waits for it: with what it sends it may go on only then.
func TestAnEarlyAnswerIsNotHeldBack(t *testing.T) {
	for name, rest := range map[string]string{
		"asked first":       "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n",
		"asked, in chunks":  "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
		"half a body":       "Content-Length: 10\r\n\r\nhalf ",
		"a chunk":           "Transfer-Encoding: chunked\r\n\r\n5\r\nhalf \r\n",
		"half a large body": "Content-Length: 10000000\r\n\r\nhalf ",
	} {
		for length, refusal := range refusals {
			t.Run(name+", answered "+length, func(t *testing.T) {
				w := newWorld(t, gateway.Config{BodyIdle: time.Hour})
				address, _ := refusing(t, refusal)
				w.Route(route(address))
				c := w.dial()
				defer c.Close()
				c.SetReadDeadline(time.Now().Add(30 * time.Second))
				io.WriteString(c, "POST /d/app/runs HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\n"+rest)
				r := bufio.NewReader(c)
				res, err := http.ReadResponse(r, nil)
				for err == nil && res.StatusCode == http.StatusContinue { // the agent is slow
					res, err = http.ReadResponse(r, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(res.Body); res.StatusCode != 401 || string(body) != "no" || err != nil {
					t.Errorf("%d %q %v", res.StatusCode, body, err)
				}
				if !res.Close {
					t.Error("the client is not told that the connection ends")
				}
			})
		}
	}
}

// What comes after such an answer is the rest of its request, whatever it looks
// like.
func TestTheRestOfARequestIsNoOther(t *testing.T) {
	const hidden = "GET /d/app/hidden HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\n\r\n"
	for name, framing := range map[string]string{
		"length": fmt.Sprintf("Content-Length: %d\r\n\r\nhalf ", len("half "+hidden)),
		"chunks": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\nhalf ", len("half "+hidden)),
	} {
		for length, refusal := range refusals {
			t.Run(name+", answered "+length, func(t *testing.T) {
				w := newWorld(t, gateway.Config{BodyIdle: time.Millisecond})
				address, got := refusing(t, refusal)
				w.Route(route(address))
				c := w.dial()
				defer c.Close()
				c.SetReadDeadline(time.Now().Add(30 * time.Second))
				io.WriteString(c, "POST /d/app/runs HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\n"+framing)
				r := bufio.NewReader(c)
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, res.Body)
				io.WriteString(c, hidden) // may fail: the connection is over
				if rest, err := io.ReadAll(r); len(rest) > 0 || isTimeout(err) {
					t.Errorf("answered too: %.40q %v", rest, err)
				}
				<-got
				if len(got) > 0 {
					t.Errorf("a second request: %s", <-got)
				}
			})
		}
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}
