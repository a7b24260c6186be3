package gateway

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	maxKeys       = 4096             // verdicts that are remembered
	verifyTimeout = 10 * time.Second // of one question to the authenticator
	// standsFor is how long a key that was good passes while nobody can say whether
	// it still is. Agents need no database of ours: they must not be out of reach
	// because that is.
	standsFor = 10 * time.Minute
)

func errKey() error {
	return slipway.Errorf(slipway.CodeUnauthenticated, "Invalid API key.")
}

// Guesses bounds the wrong credentials of each address.
type Guesses interface {
	// CheckGuesses refuses an address that has guessed too much of late.
	CheckGuesses(address string) error
	// Guessed counts a wrong credential.
	Guessed(address string)
}

// admission is what a request's credentials are worth.
type admission struct {
	identities [2]*slipway.Identity // of X-Api-Key and of Authorization, nil where they are no keys
	foreign    bool                 // Authorization is not our key: the agent's business
}

// known says whether there is a key among them.
func (a *admission) known() bool { return a.identities != [2]*slipway.Identity{} }

// permit says by which key a deployment of the workspace may be asked. To others
// it does not exist.
func (a admission) permit(w slipway.WorkspaceID, d slipway.DeploymentID, name string) (slipway.KeyID, error) {
	var err error
	for _, i := range a.identities {
		if i == nil || !i.Reaches(w, d) {
			continue
		}
		if mayAsk(i) {
			return i.Key, nil
		}
		err = slipway.Errorf(slipway.CodeForbidden, "The API key needs the scope read or deploy.")
	}
	if err == nil {
		err = errUnknown(name)
	}
	return "", err
}

func mayAsk(i *slipway.Identity) bool { return i.May(slipway.ScopeRead) || i.May(slipway.ScopeDeploy) }

// opens says whether X-Api-Key by itself is good for a deployment.
func (a admission) opens(w slipway.WorkspaceID, d slipway.DeploymentID) bool {
	i := a.identities[0]
	return i != nil && i.Reaches(w, d) && mayAsk(i)
}

// keys remembers for a moment what the identifier said of a credential, by the
// hash of its token.
type keys struct {
	identifier slipway.Identifier
	guesses    Guesses // nil for no bound
	ttl        time.Duration
	logger     *slog.Logger

	mu       sync.Mutex
	verdicts map[hash]*verdict
	failing  bool // the last question had no answer
}

// hash is what is remembered of a credential.
type hash struct {
	token  [sha256.Size]byte
	bearer bool
}

func hashOf(c slipway.Credential) hash {
	return hash{sha256.Sum256([]byte(c.Token)), c.Bearer}
}

// verdict is what is known of a credential once done is closed.
type verdict struct {
	done     chan struct{}
	until    time.Time // zero while the question is open
	renewAt  time.Time // from when on whoever comes has it asked for anew
	renewing bool      // somebody has
	stands   time.Time // until when it holds if that has no answer, one of a good credential
	identity *slipway.Identity
	err      error
}

func newKeys(c Config) *keys {
	return &keys{identifier: c.Identifier, guesses: c.Guesses, ttl: c.KeyTTL, logger: c.Logger, verdicts: map[hash]*verdict{}}
}

func (k *keys) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.verdicts)
}

// admit looks at the credentials of a request. At least one has to be a key. A
// request without any counts against its address as a guess, unless that is "";
// what else it carries is no guess then, but the agent's business.
func (k *keys) admit(ctx context.Context, h http.Header, address string) (admission, error) {
	var a admission
	if len(h["X-Api-Key"]) > 1 || len(h["Authorization"]) > 1 {
		return a, slipway.Errorf(slipway.CodeInvalid, "More than one credential of a kind.")
	}
	key := slipway.Credential{Token: first(h["X-Api-Key"])}
	token := slipway.Credential{Token: bearer(first(h["Authorization"])), Bearer: true}
	var wrong, err error
	a.identities[0], wrong = k.try(ctx, key, address)
	if wrong != nil && slipway.CodeOf(wrong) != slipway.CodeRateLimited {
		return a, wrong
	}
	if a.known() {
		address = ""
	}
	a.identities[1], err = k.try(ctx, token, address)
	a.foreign = a.identities[1] == nil
	switch {
	case err != nil:
		return a, err
	case a.known():
		return a, nil
	case wrong != nil:
		return a, wrong
	}
	if k.guesses != nil && address != "" && key.Token+token.Token != "" {
		k.guesses.Guessed(address)
	}
	return a, errKey()
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// try returns the identity of a credential, nil if it is none of ours. What was
// good of late is no guess: who shares an address with a guesser can go on.
func (k *keys) try(ctx context.Context, c slipway.Credential, address string) (*slipway.Identity, error) {
	if c.Token == "" {
		return nil, nil
	}
	h := hashOf(c)
	v, known, ageing := k.recall(h)
	if ageing {
		go k.renew(context.WithoutCancel(ctx), h, v, c)
	}
	if v != nil {
		return v.identity, nil
	}
	if k.guesses != nil && address != "" && !known {
		if err := k.guesses.CheckGuesses(address); err != nil {
			return nil, err
		}
	}
	i, err := k.verify(ctx, h, c)
	switch {
	case err == nil:
		return i, nil
	case slipway.CodeOf(err) == slipway.CodeUnauthenticated:
		return nil, nil
	}
	return nil, slipway.Errorf(slipway.CodeUnavailable, "The API key could not be checked, since the server does not reach its database or the identity provider. Try again in a moment; the server's log says more.")
}

// recall returns the verdict on a credential if it is known to be good now;
// whether it was good when it was last looked at; and whether the caller has to
// renew the verdict, which is said once.
func (k *keys) recall(h hash) (v *verdict, known, ageing bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v = k.verdicts[h]
	if v == nil || v.until.IsZero() || v.err != nil {
		return nil, false, false
	}
	now := time.Now()
	if !now.Before(v.until) {
		return nil, true, false
	}
	ageing = !v.renewing && !now.Before(v.renewAt)
	v.renewing = v.renewing || ageing
	return v, true, ageing
}

func bearer(header string) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// verify asks once for all who ask at the same time.
func (k *keys) verify(ctx context.Context, h hash, c slipway.Credential) (*slipway.Identity, error) {
	v, before, mine := k.claim(h)
	if mine {
		go k.ask(context.WithoutCancel(ctx), h, v, before, c)
	}
	select {
	case <-v.done:
		return v.identity, v.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// claim returns the verdict on a credential, and whether the caller has to find
// it; before is the one that has ended, nil for none.
func (k *keys) claim(h hash) (v, before *verdict, mine bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before = k.verdicts[h]
	if before != nil && (before.until.IsZero() || time.Now().Before(before.until)) {
		return before, nil, false
	}
	v = &verdict{done: make(chan struct{})}
	k.makeRoom()
	k.verdicts[h] = v
	return v, before, true
}

// makeRoom forgets an arbitrary verdict if there are too many.
func (k *keys) makeRoom() {
	if len(k.verdicts) < maxKeys {
		return
	}
	for h := range k.verdicts {
		delete(k.verdicts, h)
		return
	}
}

// ask finds the verdict on a credential. One that is no verdict, since the
// question failed, is not kept, and none is kept beyond the credential's end.
func (k *keys) ask(ctx context.Context, h hash, v, before *verdict, c slipway.Credential) {
	i, err := k.identify(ctx, c)
	k.mu.Lock()
	defer k.mu.Unlock()
	certain := v.settle(i, err, k.ttl, before)
	if !certain && k.verdicts[h] == v {
		delete(k.verdicts, h)
	}
}

// renew finds a new verdict on a credential while the old one holds, so that
// nobody waits when that ends. What was forgotten meanwhile is not brought back.
func (k *keys) renew(ctx context.Context, h hash, old *verdict, c slipway.Credential) {
	v := &verdict{done: make(chan struct{})}
	i, err := k.identify(ctx, c)
	k.mu.Lock()
	defer k.mu.Unlock()
	if v.settle(i, err, k.ttl, old) && k.verdicts[h] == old {
		k.verdicts[h] = v
	}
}

func (k *keys) identify(ctx context.Context, c slipway.Credential) (slipway.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	i, err := k.identifier.Identify(ctx, c)
	k.tell(err)
	return i, err
}

// tell says once that keys can not be checked, and once that they can again.
func (k *keys) tell(err error) {
	k.mu.Lock()
	was := k.failing
	k.failing = !isVerdict(err)
	is := k.failing
	k.mu.Unlock()
	switch {
	case is && !was:
		k.logger.Warn("API keys can not be checked: those that were good of late reach agents all the same, for a while",
			slog.Duration("for", standsFor), slog.Any("error", err))
	case was && !is:
		k.logger.Info("API keys can be checked again")
	}
}

// isVerdict says whether what an identifier returns is about the credential.
func isVerdict(err error) bool {
	return err == nil || slipway.CodeOf(err) == slipway.CodeUnauthenticated
}

// settle closes the question with an answer of now, and says whether that is a
// verdict. Without an answer, that before stands if it was good, for a time.
func (v *verdict) settle(i slipway.Identity, err error, ttl time.Duration, before *verdict) (certain bool) {
	defer close(v.done)
	now := time.Now()
	if !isVerdict(err) && before != nil && before.err == nil && now.Before(before.stands) {
		v.identity, v.stands = before.identity, before.stands
		v.until, v.renewAt = v.stands, now.Add(ttl)
		return true
	}
	v.identity, v.err = &i, err
	v.until, v.stands = within(i, now.Add(ttl)), within(i, now.Add(standsFor))
	v.renewAt = v.until.Add(-v.until.Sub(now) / 4) // the rest is there to find the next one
	return isVerdict(err)
}

// within is a time, or the end of an identity if that comes first.
func within(i slipway.Identity, t time.Time) time.Time {
	if !i.Until.IsZero() && i.Until.Before(t) {
		return i.Until
	}
	return t
}
