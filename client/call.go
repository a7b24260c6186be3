package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/slipwayhq/slipway/internal/backoff"
)

const (
	tries     = 4        // of a request that changes nothing
	maxAnswer = 64 << 20 // bytes
	// longestWait bounds how long a server can make a call wait between tries.
	longestWait = 30 * time.Second
)

var betweenTries = backoff.Exponential{First: 200 * time.Millisecond, Most: 2 * time.Second}

// call is one request: in is sent as JSON unless nil, out receives the answer
// unless nil.
type call struct {
	method, path string
	query        url.Values
	in, out      any
	safe         bool // changes nothing, so it may be sent again
}

func (e *endpoint) get(ctx context.Context, path string, query url.Values, out any) error {
	return e.do(ctx, call{method: http.MethodGet, path: path, query: query, out: out, safe: true})
}

func (e *endpoint) post(ctx context.Context, path string, in, out any) error {
	return e.do(ctx, call{method: http.MethodPost, path: path, in: in, out: out})
}

// do sends a call, again if it is safe and the failure is temporary.
func (e *endpoint) do(ctx context.Context, r call) error {
	for try := 1; ; try++ {
		err := e.once(ctx, r)
		if err == nil || !r.safe || try == tries || !temporary(err) || ctx.Err() != nil {
			return err
		}
		if pause(ctx, wait(err, try)) != nil {
			return err
		}
	}
}

// wait is how long to wait after a failure: as long as the server asks for, but
// no longer than longestWait.
func wait(err error, try int) time.Duration {
	own := betweenTries.After(try)
	if refused, ok := errors.AsType[*Error](err); ok {
		return min(max(own, refused.RetryAfter), longestWait)
	}
	return own
}

func (e *endpoint) once(ctx context.Context, r call) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := e.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if r.out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(r.out); err != nil {
		return fmt.Errorf("read answer to %s %s: %w", r.method, r.path, err)
	}
	return nil
}

// send returns an answer of the 2xx kind with its body open, or an error.
func (e *endpoint) send(ctx context.Context, r call) (*http.Response, error) {
	req, err := e.request(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return nil, err
	}
	if err := refusal(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

func (e *endpoint) request(ctx context.Context, r call) (*http.Request, error) {
	var body io.Reader
	if r.in != nil {
		raw, err := json.Marshal(r.in)
		if err != nil {
			return nil, fmt.Errorf("make request %s %s: %w", r.method, r.path, err)
		}
		body = bytes.NewReader(raw)
	}
	address := e.base + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header = e.header.Clone()
	if r.in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// temporary says whether the same request may go better a moment later.
func temporary(err error) bool {
	if refused, ok := errors.AsType[*Error](err); ok {
		return refused.Status >= 500 && refused.Status != http.StatusNotImplemented || refused.Status == http.StatusTooManyRequests
	}
	for _, passing := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, passing) {
			return true
		}
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// pause waits, and returns an error if ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
