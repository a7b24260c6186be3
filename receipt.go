package slipway

import (
	"context"
	"strings"
	"time"
)

// ReceiptsFor is how long a receipt is kept at least.
const ReceiptsFor = 24 * time.Hour

// RequestKey names a request, so that sending it again does not do it again:
// the Idempotency-Key of an HTTP request and a hash of what it asks for.
type RequestKey struct {
	Value string
	Hash  string
}

// CheckRequestKey says what is wrong with the value of a key.
func CheckRequestKey(value string) error {
	odd := strings.IndexFunc(value, func(r rune) bool { return r < '!' || r > '~' }) >= 0
	if value == "" || len(value) > 255 || odd {
		return Errorf(CodeInvalid, "Invalid Idempotency-Key: use 1 to 255 visible ASCII characters.")
	}
	return nil
}

// Receipt says what a request made that took effect under a key. It is written
// in the transaction of the effect, and holds no secret.
type Receipt struct {
	Workspace WorkspaceID // "" for a request to the organisation
	Key       string
	Hash      string
	Resource  string // id of what the request made or changed
	CreatedAt time.Time
}

type contextKey int

const (
	requestKey contextKey = iota
	wantedTags
)

// WithRequestKey gives a use case the key of its request.
func WithRequestKey(ctx context.Context, k RequestKey) context.Context {
	return context.WithValue(ctx, requestKey, k)
}

// RequestKeyOf returns the key that a request came with, if it had one.
func RequestKeyOf(ctx context.Context) (RequestKey, bool) {
	k, ok := ctx.Value(requestKey).(RequestKey)
	return k, ok
}
