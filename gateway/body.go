package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/slipwayhq/slipway"
)

// maxBuffered is how large a body may be to be read while its request is held.
const maxBuffered = 64 << 10

// errSlow is of a client that stopped in the middle of its request.
var errSlow = errors.New("gateway: the rest of the request does not come")

// limitBody refuses a body that is too large, now if its length is known, else
// when it is read, and does not wait for ever for one that does not come.
func (g *Gateway) limitBody(p *passage, w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > g.config.MaxBody {
		return errTooLarge(g.config.MaxBody)
	}
	if hasBody(r) {
		p.body = newPunctual(w, r.Body, g.config.BodyIdle)
		r.Body = p.body
	}
	if r.ContentLength < 0 {
		r.Body = http.MaxBytesReader(w, r.Body, g.config.MaxBody)
	}
	return nil
}

// bufferBody reads a small body to its end. The server sees that a client has
// left only after that, and a held request must not outlive its client.
func bufferBody(r *http.Request) error {
	if r.Body == nil || r.ContentLength <= 0 || r.ContentLength > maxBuffered {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if errors.Is(err, errSlow) {
		return errSlow
	}
	if err != nil {
		return slipway.Errorf(slipway.CodeInvalid, "The request body ended early.")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// punctual is a body that ends in errSlow when none of it comes for a while. How
// long all of it takes is not bounded, nor how long the agent takes to want more.
// It remembers its end: a server closes it when the answer begins, and a transport
// that looks at it once more then would take it for cut.
type punctual struct {
	io.ReadCloser
	control            *http.ResponseController
	idle               time.Duration
	alarm              *time.Timer // runs while somebody waits for the client
	begun, ended, late atomic.Bool
}

func newPunctual(w http.ResponseWriter, b io.ReadCloser, idle time.Duration) *punctual {
	p := &punctual{ReadCloser: b, control: http.NewResponseController(w), idle: idle}
	p.alarm = time.AfterFunc(idle, p.giveUp)
	p.alarm.Stop()
	return p
}

// giveUp ends the read that waits. It costs less than a deadline for each.
func (p *punctual) giveUp() {
	p.late.Store(true)
	_ = p.control.SetReadDeadline(time.Unix(1, 0))
}

// isLate says whether the client was given up.
func (p *punctual) isLate() bool { return p != nil && p.late.Load() }

// isBegun says whether somebody reads it, or has.
func (p *punctual) isBegun() bool { return p != nil && p.begun.Load() }

// isOver says whether nobody waits for more of it.
func (p *punctual) isOver() bool { return p != nil && (p.ended.Load() || p.late.Load()) }

func (p *punctual) Read(b []byte) (int, error) {
	if p.ended.Load() {
		return 0, io.EOF
	}
	p.begun.Store(true)
	p.alarm.Reset(p.idle)
	n, err := p.ReadCloser.Read(b)
	p.alarm.Stop()
	switch {
	case err == io.EOF:
		p.ended.Store(true)
	case err != nil && p.isLate():
		err = errSlow
	}
	return n, err
}

// letAnswer lets an answer begin before the request has ended, while its agent may
// still read that. Else the server would wait for the rest first, at the same time
// as the agent, and close the body then.
//
// The connection ends with such an answer: what comes after it may be the rest of
// its request, and must not be taken for another. HTTP/2 tells them apart.
func (p *punctual) letAnswer(answer http.Header) {
	if p == nil || p.ended.Load() {
		return
	}
	if p.control.EnableFullDuplex() == nil {
		answer.Set("Connection", "close")
	}
}
