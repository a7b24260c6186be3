package gateway

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	maxKeys       = 4096             // verdicts that are remembered
	verifyTimeout = 10 * time.Second // of one question to the authenticator
)

func errKey() error {
	return slipway.Errorf(slipway.CodeUnauthenticated, "Invalid API key.")
}

// admission is what a request's credentials are worth.
type admission struct {
	principals []slipway.Principal // of the keys that it carries
	foreign    bool                // Authorization is not our key: the agent's business
}

// permit says whether a deployment of the workspace may be asked. To others it
// does not exist.
func (a admission) permit(workspace slipway.WorkspaceID, name string) error {
	err := errUnknown(name)
	for _, p := range a.principals {
		if p.Workspace != workspace || workspace == "" {
			continue
		}
		if p.May(slipway.ScopeRead) || p.May(slipway.ScopeDeploy) {
			return nil
		}
		err = slipway.Errorf(slipway.CodeForbidden, "The API key needs the scope read or deploy.")
	}
	return err
}

// keys remembers for a moment what the authenticator said of a token, by its
// hash.
type keys struct {
	authenticator slipway.Authenticator
	ttl           time.Duration

	mu       sync.Mutex
	verdicts map[[sha256.Size]byte]*verdict
}

// verdict is what is known of a token once done is closed.
type verdict struct {
	done      chan struct{}
	until     time.Time // zero while the question is open
	principal slipway.Principal
	err       error
}

func newKeys(a slipway.Authenticator, ttl time.Duration) *keys {
	return &keys{authenticator: a, ttl: ttl, verdicts: map[[sha256.Size]byte]*verdict{}}
}

func (k *keys) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.verdicts)
}

// admit looks at the credentials of a request. At least one has to be a key.
func (k *keys) admit(ctx context.Context, h http.Header) (admission, error) {
	var a admission
	if len(h.Values("X-Api-Key")) > 1 || len(h.Values("Authorization")) > 1 {
		return a, slipway.Errorf(slipway.CodeInvalid, "More than one credential of a kind.")
	}
	if _, err := k.try(ctx, &a, h.Get("X-Api-Key")); err != nil {
		return a, err
	}
	ours, err := k.try(ctx, &a, bearer(h.Get("Authorization")))
	if err != nil {
		return a, err
	}
	a.foreign = !ours
	if len(a.principals) == 0 {
		return a, errKey()
	}
	return a, nil
}

// try adds the principal of a token, if it is a key.
func (k *keys) try(ctx context.Context, a *admission, token string) (bool, error) {
	if token == "" {
		return false, nil
	}
	p, err := k.verify(ctx, token)
	switch {
	case err == nil:
		a.principals = append(a.principals, p)
		return true, nil
	case slipway.CodeOf(err) == slipway.CodeUnauthenticated:
		return false, nil
	}
	return false, slipway.Errorf(slipway.CodeUnavailable, "The API key could not be checked.")
}

func bearer(header string) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// verify asks once for all who ask at the same time.
func (k *keys) verify(ctx context.Context, token string) (slipway.Principal, error) {
	hash := sha256.Sum256([]byte(token))
	v, mine := k.claim(hash)
	if mine {
		go k.ask(context.WithoutCancel(ctx), hash, v, token)
	}
	select {
	case <-v.done:
		return v.principal, v.err
	case <-ctx.Done():
		return slipway.Principal{}, ctx.Err()
	}
}

// claim returns the verdict on a token, and whether the caller has to find it.
func (k *keys) claim(hash [sha256.Size]byte) (*verdict, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v := k.verdicts[hash]; v != nil && (v.until.IsZero() || time.Now().Before(v.until)) {
		return v, false
	}
	v := &verdict{done: make(chan struct{})}
	k.makeRoom()
	k.verdicts[hash] = v
	return v, true
}

// makeRoom forgets an arbitrary verdict if there are too many.
func (k *keys) makeRoom() {
	if len(k.verdicts) < maxKeys {
		return
	}
	for hash := range k.verdicts {
		delete(k.verdicts, hash)
		return
	}
}

// ask finds the verdict on a token. One that is no verdict, since the question
// failed, is not kept.
func (k *keys) ask(ctx context.Context, hash [sha256.Size]byte, v *verdict, token string) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	p, err := k.authenticator.Authenticate(ctx, token)
	k.mu.Lock()
	defer k.mu.Unlock()
	v.principal, v.err, v.until = p, err, time.Now().Add(k.ttl)
	close(v.done)
	certain := err == nil || slipway.CodeOf(err) == slipway.CodeUnauthenticated
	if !certain && k.verdicts[hash] == v {
		delete(k.verdicts, hash)
	}
}
