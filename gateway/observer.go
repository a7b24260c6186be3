package gateway

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"time"
)

// statusLeft is what is noted of a request whose client left before an answer;
// nobody is sent it. Other servers note the same.
const statusLeft = 499

// observer sees what a client is answered. What else a writer can do is found by
// [http.ResponseController] in the one below.
type observer struct {
	http.ResponseWriter
	client    context.Context // ends when the client leaves
	id        [1]string       // of the request, for an answer that names none; the value of a header as it stands
	began     time.Time
	status    int // 0 before the header
	bytes     int64
	firstByte time.Duration
}

// outcome is what became of a request.
type outcome struct {
	status    int           // statusLeft if the client did not wait for one, 0 if it did in vain
	bytes     int64         // of the body of the answer
	firstByte time.Duration // from the request to the answer's header
	cut       bool          // it has no end, by whoever's fault
	failed    bool          // by us or the agent, not by the client
}

func (o outcome) answered() bool { return o.status != 0 && o.status != statusLeft }

// outcome tells what became of a request; whole is whether its answer came to an
// end.
func (o *observer) outcome(whole bool) outcome {
	broken := !whole && o.client.Err() == nil
	return outcome{o.status, o.bytes, o.firstByte, !whole, broken || o.status >= http.StatusInternalServerError}
}

func (o *observer) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func (o *observer) WriteHeader(status int) {
	if status >= http.StatusOK && o.status == 0 {
		o.note(status)
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *observer) note(status int) {
	o.status, o.firstByte = status, time.Since(o.began)
	if status >= http.StatusInternalServerError && o.client.Err() != nil {
		o.status = statusLeft
	}
	if h := o.Header(); len(h[requestID]) == 0 {
		h[requestID] = o.id[:]
	}
}

func (o *observer) Write(b []byte) (int, error) {
	if o.status == 0 {
		o.note(http.StatusOK)
	}
	n, err := o.ResponseWriter.Write(b)
	o.bytes += int64(n)
	return n, err
}

// Hijack is how an upgraded connection is taken over. What is sent over it does
// not come by here.
func (o *observer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(o.ResponseWriter).Hijack()
	if err == nil && o.status == 0 {
		o.note(http.StatusSwitchingProtocols)
	}
	return c, rw, err
}
