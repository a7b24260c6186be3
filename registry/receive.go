package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// stalled is how long a push may bring nothing before it is cut.
const stalled = 2 * time.Minute

// body is what a request brings. Reading it ends with the request's context,
// which the prefix's removal ends, and when nothing comes for long.
type body struct {
	io.ReadCloser
	ctx     context.Context
	control *http.ResponseController
}

// receiving is a request with a context that reading its body ends with. Done
// must be called when nothing is read any more.
func receiving(ctx context.Context, w http.ResponseWriter, q *http.Request) (_ *http.Request, done func()) {
	control := http.NewResponseController(w)
	stop := context.AfterFunc(ctx, func() { _ = control.SetReadDeadline(time.Now()) })
	q = q.WithContext(ctx)
	q.Body = &body{q.Body, ctx, control}
	return q, func() {
		if stop() {
			_ = control.SetReadDeadline(time.Time{}) // the connection serves others
		}
	}
}

func (b *body) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(stalled))
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil, err == io.EOF:
		return n, err
	case b.ctx.Err() != nil:
		return n, context.Cause(b.ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, refuse(http.StatusRequestTimeout, "BLOB_UPLOAD_INVALID", "Nothing came for %s.", stalled)
	}
	return n, refuse(http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "The request ended before its body did.")
}
