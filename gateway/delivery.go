package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/slipwayhq/slipway/internal/address"
)

// newTransport speaks HTTP/1.1 to agents and waits for answers as long as the
// client does.
func newTransport() *http.Transport {
	t := &http.Transport{
		DialContext:           dial(&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}),
		DisableCompression:    true,
		MaxIdleConnsPerHost:   256,
		ExpectContinueTimeout: time.Second,
		// Node and uvicorn close a kept connection after 5 s: be the first, so
		// that no request meets one that is just being closed.
		IdleConnTimeout:        3 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// unreachedError is of a connection that never was, or that was over before
// anything was sent on it.
type unreachedError struct{ err error }

func (e *unreachedError) Error() string { return e.err.Error() }
func (e *unreachedError) Unwrap() error { return e.err }

// dial reaches an address as a route has it, by the host that [address.Host] made
// of it.
func dial(d *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
	reach := address.Dialer(d)
	return func(ctx context.Context, network, host string) (net.Conn, error) {
		c, err := reach(ctx, network, host)
		if err != nil {
			return nil, &unreachedError{err}
		}
		return newConn(c), nil
	}
}

// delivery brings a request to its agent. If that can not be reached, it tries
// another address, or waits for one, since an instance that has just died is soon
// replaced.
type delivery struct{ transport *http.Transport }

func (d *delivery) RoundTrip(r *http.Request) (*http.Response, error) {
	p := passageFrom(r.Context())
	a := &p.attempt
	r = r.WithContext(r.Context()) // its body is ours
	for {
		r.Body = a.begin(r.Body)
		p.presentKey(r.Header)
		res, err := d.transport.RoundTrip(r)
		if err == nil || p.probe != nil || r.Context().Err() != nil || !a.undelivered(err) {
			return res, err
		}
		r.Body = a.rewound()
		if a.stale(err) {
			continue // the next one, or a new one, tells how the agent is
		}
		err = asUnreached(err)
		p.gateway.logFailure(p, err)
		if err := p.reenter(r, err); err != nil {
			return nil, err
		}
		r = readdress(r, p.stay.address)
	}
}

func isUnreached(err error) bool {
	_, ok := errors.AsType[*unreachedError](err)
	return ok
}

func asUnreached(err error) error {
	if isUnreached(err) {
		return err
	}
	return &unreachedError{err}
}

func readdress(r *http.Request, to string) *http.Request {
	r = r.WithContext(r.Context())
	u := *r.URL
	u.Host = address.Host(to)
	r.URL = &u
	return r
}

// cause is an error's text for the log. What the agent wrote is not quoted: it
// may be anything.
func cause(err error) string {
	var op *net.OpError
	switch {
	case errors.As(err, &op):
		return op.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed before an answer"
	case errors.Is(err, errUpgrade):
		return err.Error()
	}
	return "not an answer in HTTP"
}
