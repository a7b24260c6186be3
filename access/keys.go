package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipwayhq/slipway"
)

// touchEvery bounds how often the use of a key is written down.
const touchEvery = 10 * time.Minute

func (a *Authority) lookKey(ctx context.Context, token string) (slipway.Identity, error) {
	var key slipway.Key
	err := a.store.View(ctx, func(tx slipway.Tx) (err error) {
		key, err = tx.KeyByHash(slipway.HashToken(token))
		return err
	})
	switch now := a.now(); {
	case errors.Is(err, slipway.ErrNoRow), err == nil && !key.Valid(now):
		return slipway.Identity{}, errInvalidKey
	case err != nil:
		return slipway.Identity{}, fmt.Errorf("look up key: %w", err)
	default:
		a.touch(ctx, key, now)
	}
	return key.Identity(), nil
}

// touch writes the time of the last use, coarsely. That it was not written is
// no reason to refuse the request.
func (a *Authority) touch(ctx context.Context, key slipway.Key, now time.Time) {
	if now.Sub(key.LastUsedAt) >= touchEvery {
		_ = a.store.Update(ctx, func(tx slipway.Tx) error { return tx.TouchKey(key.ID, now) })
	}
}

// workspace finds the workspace that an identity acts in. One that does not
// exist is refused like one that is not the identity's.
func (a *Authority) workspace(ctx context.Context, id slipway.WorkspaceID) (slipway.Workspace, error) {
	now := a.now()
	r := a.memory.workspace(id, now)
	if r.fresh {
		return r.value, nil
	}
	if !looksLikeID(string(id)) { // not every engine takes any bytes for a text
		return slipway.Workspace{}, slipway.ErrNotYours(string(id))
	}
	var w slipway.Workspace
	err := a.store.View(ctx, func(tx slipway.Tx) (err error) {
		w, err = tx.Workspace(id)
		return err
	})
	switch {
	case errors.Is(err, slipway.ErrNoRow):
		return w, slipway.ErrNotYours(string(id))
	case err != nil:
		return w, fmt.Errorf("look up workspace: %w", err)
	}
	a.memory.keepWorkspace(w, r.epoch, now)
	return w, nil
}

func looksLikeID(id string) bool {
	for _, r := range id {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && r != '-' {
			return false
		}
	}
	return len(id) <= 36
}
