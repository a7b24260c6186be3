// Package access says who asks: it knows API keys and the tokens of an identity
// provider, chooses the workspace, and bounds how often each may ask.
package access

import (
	"context"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
)

// errInvalidKey is the same for every reason: the caller learns nothing.
var errInvalidKey = slipway.Errorf(slipway.CodeUnauthenticated, "Invalid API key.")

// maxToken bounds what is looked at, in bytes. The longest are those of identity
// providers that list a person's groups.
const maxToken = 32 << 10

// Config is what an Authority goes by. Limits that are unset do not apply.
type Config struct {
	Now        func() time.Time
	Rate       float64 // requests per second of each key; 0: no limit
	Burst      int     // requests of a key at once
	Guesses    float64 // wrong tokens per second of each address; 0: no limit
	GuessBurst int     // wrong tokens of an address at once
	Issuer     *Issuer // whose tokens are taken; nil for none
}

// Authority says who asks. It is a slipway.Identifier for agents' traffic,
// which has no limits, and a slipway.Authenticator for the control plane.
type Authority struct {
	store   slipway.Store
	now     func() time.Time
	issuer  *Issuer
	memory  *memory
	rate    *limits[string]
	guesses *limits[string]
}

var (
	_ slipway.Identifier    = (*Authority)(nil)
	_ slipway.Authenticator = (*Authority)(nil)
	_ slipway.Tracers       = (*Authority)(nil)
)

// New returns an authority over the keys of a store.
func New(store slipway.Store, c Config) *Authority {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Authority{
		store: store, now: c.Now, issuer: c.Issuer, memory: newMemory(),
		rate: newLimits[string](c.Rate, c.Burst), guesses: newLimits[string](c.Guesses, c.GuessBurst),
	}
}

// Forget makes changes of keys and workspaces take effect at once. Call it after
// each that is committed.
func (a *Authority) Forget() { a.memory.forget() }

// Identify says who presents a credential. What was found is remembered for two
// seconds, so that a busy caller costs no transactions.
func (a *Authority) Identify(ctx context.Context, c slipway.Credential) (slipway.Identity, error) {
	return a.identify(ctx, c, "")
}

// Authenticate says who calls, and in which workspace, and refuses who calls
// too often.
func (a *Authority) Authenticate(ctx context.Context, c slipway.Caller) (slipway.Principal, error) {
	id, err := a.identify(ctx, c.Credential, origin(c.Address))
	if err != nil {
		return slipway.Principal{}, err
	}
	if wait := a.rate.take(who(id), a.now()); wait > 0 {
		return slipway.Principal{}, tooOften("Too many requests with this key.", wait)
	}
	return a.enter(ctx, id, c)
}

// Tracer says who writes or reads traces, and in which workspace. The agents of
// this machine share an address: none of them is to be in the others' way.
func (a *Authority) Tracer(ctx context.Context, c slipway.Caller) (slipway.Principal, error) {
	from := origin(c.Address)
	if isLoopback(from) {
		from = ""
	}
	id, err := a.identify(ctx, c.Credential, from)
	if err != nil {
		return slipway.Principal{}, err
	}
	chosen, err := id.ChooseForTraces(c.Tenant)
	if err != nil {
		return slipway.Principal{}, err
	}
	p, err := a.within(ctx, id, chosen)
	p.Deployment = id.Deployment
	return p, err
}

// identify counts wrong tokens against the address that they come from. A token
// that was right of late is no guess: who shares an address with a guesser can
// go on.
func (a *Authority) identify(ctx context.Context, c slipway.Credential, address string) (slipway.Identity, error) {
	if c.Token == "" || len(c.Token) > maxToken {
		return slipway.Identity{}, errInvalidKey
	}
	h, now := hashOf(c), a.now()
	r := a.memory.identity(h, now)
	if r.fresh {
		return r.value, nil
	}
	if address != "" && !r.known {
		if wait := a.guesses.check(address, now); wait > 0 {
			return slipway.Identity{}, tooOften("Too many requests with an invalid API key.", wait)
		}
	}
	id, err := a.look(ctx, c)
	switch {
	case err == nil:
		a.memory.keepIdentity(h, id, r.epoch, now)
	case slipway.CodeOf(err) == slipway.CodeUnauthenticated:
		a.memory.dropIdentity(h)
		if address != "" {
			a.guesses.take(address, now)
		}
	}
	return id, err
}

// look asks the store, or the identity provider's keys.
func (a *Authority) look(ctx context.Context, c slipway.Credential) (slipway.Identity, error) {
	if c.Bearer && a.issuer != nil && isJWT(c.Token) {
		return a.issuer.identify(ctx, c.Token)
	}
	return a.lookKey(ctx, c.Token)
}

// isJWT tells a token of an identity provider from a key, which has no dots.
func isJWT(token string) bool { return strings.Count(token, ".") == 2 }

// enter chooses the workspace that a call is about.
func (a *Authority) enter(ctx context.Context, id slipway.Identity, c slipway.Caller) (slipway.Principal, error) {
	if c.Anywhere && c.Tenant == "" && id.Everywhere && id.Deployment == "" {
		return anywhere(id), nil
	}
	chosen, err := id.Choose(c.Tenant)
	if err != nil {
		return slipway.Principal{}, err
	}
	return a.within(ctx, id, chosen)
}

func anywhere(id slipway.Identity) slipway.Principal {
	return slipway.Principal{Key: id.Key, Subject: id.Subject, Organisation: id.Everywhere, Scopes: id.Scopes}
}

// within is an identity in a workspace, if there is that.
func (a *Authority) within(ctx context.Context, id slipway.Identity, chosen slipway.WorkspaceID) (slipway.Principal, error) {
	w, err := a.workspace(ctx, chosen)
	if err != nil {
		return slipway.Principal{}, err
	}
	p := anywhere(id)
	p.Workspace, p.Home = w.ID, w.Home
	return p, nil
}

// who names an identity in limits.
func who(id slipway.Identity) string {
	if id.Key != "" {
		return "key/" + string(id.Key)
	}
	return "subject/" + id.Subject
}
