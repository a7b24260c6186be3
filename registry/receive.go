package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// body is what a request brings. Reading it ends with the request's context,
// which the prefix's removal ends, and when nothing comes for long.
type body struct {
	io.ReadCloser
	ctx     context.Context
	control *http.ResponseController
	stalled time.Duration
}

// receiving is a request with a context that reading its body ends with. Done
// must be called when nothing is read any more.
func (r *Registry) receiving(ctx context.Context, w http.ResponseWriter, q *http.Request) (_ *http.Request, done func()) {
	control := http.NewResponseController(w)
	stop := context.AfterFunc(ctx, func() { _ = control.SetReadDeadline(time.Now()) })
	q = q.WithContext(ctx)
	q.Body = &body{q.Body, ctx, control, r.config.Stalled}
	return q, func() {
		if stop() {
			_ = control.SetReadDeadline(time.Time{}) // the connection serves others
		}
	}
}

func (b *body) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.stalled))
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil, err == io.EOF:
		return n, err
	case context.Cause(b.ctx) == errRemoved:
		return n, errRemoved
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, refuse(http.StatusRequestTimeout, "BLOB_UPLOAD_INVALID", "Nothing came for %s.", b.stalled)
	}
	return n, refuse(http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "The request ended before its body did.")
}
