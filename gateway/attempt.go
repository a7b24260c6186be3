package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http/httptrace"
	"sync/atomic"
)

// attempt is a try to bring a request to an agent. It tells whether any of the
// request was sent, which the transport's errors do not: of a kept connection
// that is just being closed they say the same before and after.
type attempt struct {
	conn *conn // nil before there is one
	kept bool  // it has had other requests
	from int64 // bytes that were sent on it before
	body *body // nil for none
}

// follow makes a context in which the attempt learns which connection a request
// gets.
func (a *attempt) follow(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: a.got})
}

// begin starts it, or starts it anew, with the body that is returned.
func (a *attempt) begin(b io.ReadCloser) io.ReadCloser {
	*a = attempt{}
	if b == nil {
		return nil
	}
	a.body = &body{ReadCloser: b, attempt: a}
	return a.body
}

func (a *attempt) got(i httptrace.GotConnInfo) {
	a.conn, a.kept = i.Conn.(*conn), i.Reused
	a.from = a.conn.sent.Load()
	if a.kept && a.conn.over() {
		_ = a.conn.Close() // so that nothing is sent
	}
}

// sent says whether the agent may have seen something of the request.
func (a *attempt) sent() bool { return a.conn != nil && a.conn.sent.Load() != a.from }

// undelivered says whether an attempt failed because the agent could not be
// reached, and nothing was sent.
func (a *attempt) undelivered(err error) bool {
	if isUnreached(err) {
		return true
	}
	return a.conn != nil && !a.sent() && (a.body == nil || !a.body.failed)
}

// stale says whether an undelivered request had but a kept connection that was
// over: agents may close those whenever they like.
func (a *attempt) stale(err error) bool { return a.kept && !isUnreached(err) }

// rewound returns the body as it was before an attempt that sent nothing.
func (a *attempt) rewound() io.ReadCloser {
	if a.body == nil {
		return nil
	}
	return a.body.rewound()
}

// body is a request's body that can be read again as long as nothing was sent:
// the transport reads ahead as much as its buffers take, and closes it whenever
// an attempt fails.
type body struct {
	io.ReadCloser
	attempt *attempt
	begun   atomic.Bool
	failed  bool   // to be read: the agent has no part in it
	ahead   []byte // what was read before anything was sent
}

func (b *body) Read(p []byte) (int, error) {
	b.begun.Store(true)
	n, err := b.ReadCloser.Read(p)
	if b.attempt.sent() {
		b.ahead = nil
	} else {
		b.ahead = append(b.ahead, p[:n]...)
	}
	b.failed = err != nil && err != io.EOF
	return n, err
}

func (b *body) Close() error {
	if !b.begun.Load() || !b.attempt.sent() {
		return nil
	}
	return b.ReadCloser.Close()
}

func (b *body) rewound() io.ReadCloser {
	if len(b.ahead) == 0 {
		return b.ReadCloser
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(b.ahead), b.ReadCloser), b.ReadCloser}
}
