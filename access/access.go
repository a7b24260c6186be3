// Package access says who presents an API key.
package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

// errInvalidKey is the same for every reason: the caller learns nothing.
var errInvalidKey = slipway.Errorf(slipway.CodeUnauthenticated, "Invalid API key.")

// touchEvery bounds how often the use of a key is written down.
const touchEvery = 10 * time.Minute

// Keys is the slipway.Authenticator of keys in the store.
type Keys struct {
	store slipway.Store
	now   func() time.Time

	mu      sync.Mutex
	touched map[slipway.KeyID]time.Time
}

// NewKeys returns an authenticator.
func NewKeys(store slipway.Store, now func() time.Time) *Keys {
	return &Keys{store: store, now: now, touched: map[slipway.KeyID]time.Time{}}
}

// Authenticate resolves a token to the workspace of its key.
func (k *Keys) Authenticate(ctx context.Context, token string) (slipway.Principal, error) {
	if token == "" {
		return slipway.Principal{}, errInvalidKey
	}
	var key slipway.Key
	err := k.store.View(ctx, func(tx slipway.Tx) (err error) {
		key, err = tx.KeyByHash(slipway.HashToken(token))
		return err
	})
	switch now := k.now(); {
	case errors.Is(err, slipway.ErrNoRow), err == nil && !key.Valid(now):
		return slipway.Principal{}, errInvalidKey
	case err != nil:
		return slipway.Principal{}, fmt.Errorf("authenticate: %w", err)
	default:
		k.touch(ctx, key, now)
	}
	return slipway.Principal{Key: key.ID, Workspace: key.Workspace, Scopes: key.Scopes}, nil
}

// touch writes the time of the last use, coarsely. That it was not written is
// no reason to refuse the request.
func (k *Keys) touch(ctx context.Context, key slipway.Key, now time.Time) {
	k.mu.Lock()
	last, seen := k.touched[key.ID]
	if !seen {
		last = key.LastUsedAt
	}
	due := now.Sub(last) >= touchEvery
	if due || !seen {
		k.touched[key.ID] = now
	}
	k.mu.Unlock()
	if due {
		_ = k.store.Update(ctx, func(tx slipway.Tx) error { return tx.TouchKey(key.ID, now) })
	}
}
