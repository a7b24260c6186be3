package gateway

import (
	"bytes"
	"io"
	"net/http"

	"github.com/slipwayhq/slipway"
)

// maxBuffered is how large a body may be to be read while its request is held.
const maxBuffered = 64 << 10

// limitBody refuses a body that is too large, now if its length is known, else
// when it is read.
func (g *Gateway) limitBody(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > g.config.MaxBody {
		return errTooLarge(g.config.MaxBody)
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
	if err != nil {
		return slipway.Errorf(slipway.CodeInvalid, "The request body ended early.")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}
