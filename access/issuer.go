package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/slipwayhq/slipway"
)

const (
	// discoverEvery bounds how often an issuer that can not be reached is asked
	// for its configuration.
	discoverEvery = 5 * time.Second
	// issuerWithin bounds one request to the issuer.
	issuerWithin = 10 * time.Second
	// clockSkew is how far an issuer's clock may be ahead of ours.
	clockSkew = time.Minute
	// maxIssuerAnswer bounds what is read of the issuer, in bytes.
	maxIssuerAnswer = 1 << 20
)

// algorithms are those that a token may be signed with: asymmetric ones only.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// IssuerConfig says which tokens are taken, and what their claims mean.
type IssuerConfig struct {
	URL      string // as in the claim iss; its configuration is found below it
	Audience string // has to be in the claim aud, usually our client id

	ScopesClaim     string // names the claim with scopes of ours
	WorkspacesClaim string // names the claim with ids of workspaces
	// What a token without the claim has. Neither admin nor secrets:read can be
	// had so.
	DefaultScopes     []slipway.Scope
	DefaultWorkspaces []slipway.WorkspaceID

	Now    func() time.Time  // nil for time.Now
	Client http.RoundTripper // nil for http.DefaultTransport
}

// Issuer verifies the tokens of one OpenID Connect provider. Nothing is asked of
// it before its first token comes, so that one that can not be reached is in
// nobody else's way.
type Issuer struct {
	config IssuerConfig
	client *http.Client

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil before the issuer was reached
	failed   error                 // of the last discovery
	retry    time.Time             // when it may be tried again
}

// NewIssuer checks a configuration. It does not speak to the issuer.
func NewIssuer(c IssuerConfig) (*Issuer, error) {
	if c.Audience == "" {
		return nil, errors.New("an OpenID Connect issuer needs an audience, which its tokens have to be for")
	}
	for _, s := range c.DefaultScopes {
		if s == slipway.ScopeAdmin || s == slipway.ScopeSecretsRead {
			return nil, fmt.Errorf("%s can not be a default scope: the issuer has to name who gets it", s)
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Client == nil {
		c.Client = http.DefaultTransport
	}
	return &Issuer{config: c, client: &http.Client{Transport: bounded{c.Client}, Timeout: issuerWithin}}, nil
}

// identify says who presents a token.
func (i *Issuer) identify(ctx context.Context, token string) (slipway.Identity, error) {
	verifier, err := i.discovered()
	if err != nil {
		return slipway.Identity{}, err
	}
	// The library turns every error into a text; the key set says by this what
	// it could not ask.
	var unreached unreachedKeys
	verified, err := verifier.Verify(context.WithValue(ctx, unreachedKey{}, &unreached), token)
	switch {
	case unreached.err != nil:
		return slipway.Identity{}, errUnreached()
	case err != nil:
		return slipway.Identity{}, errInvalidKey
	}
	var claims claims
	if err := verified.Claims(&claims); err != nil || verified.Subject == "" || claims.early(i.config.Now()) {
		return slipway.Identity{}, errInvalidKey
	}
	return claims.identity(i.config, verified.Subject, verified.Expiry), nil
}

// discovered returns the verifier. It asks the issuer for its configuration if
// that is not known, one request for all who wait.
func (i *Issuer) discovered() (*oidc.IDTokenVerifier, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.verifier != nil {
		return i.verifier, nil
	}
	if i.failed == nil || !i.config.Now().Before(i.retry) {
		i.discover()
	}
	if i.failed != nil {
		return nil, errUnreached()
	}
	return i.verifier, nil
}

// discover does not hang on one request's context: others wait for it too.
func (i *Issuer) discover() {
	ctx := oidc.ClientContext(context.Background(), i.client)
	provider, err := oidc.NewProvider(ctx, i.config.URL)
	if i.failed = err; err != nil {
		i.retry = i.config.Now().Add(discoverEvery)
		return
	}
	var where struct {
		Keys string `json:"jwks_uri"`
	}
	if i.failed = provider.Claims(&where); i.failed != nil {
		return
	}
	i.verifier = oidc.NewVerifier(i.config.URL, keySet{oidc.NewRemoteKeySet(ctx, where.Keys)}, &oidc.Config{
		ClientID: i.config.Audience, SupportedSigningAlgs: algorithms, Now: i.config.Now,
	})
}

func errUnreached() error {
	return &slipway.Error{
		Code: slipway.CodeUnavailable, After: discoverEvery,
		Text: "The identity provider can not be reached, so that its tokens can not be checked now. API keys work.",
	}
}

// keySet notes, for whoever asked, that keys could not be had: no verdict on the
// token follows from that.
type keySet struct{ *oidc.RemoteKeySet }

type (
	unreachedKey  struct{}
	unreachedKeys struct{ err error }
)

func (k keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.RemoteKeySet.VerifySignature(ctx, token)
	// Of an error with a cause, the cause is that keys could not be fetched.
	if note, ok := ctx.Value(unreachedKey{}).(*unreachedKeys); ok && errors.Unwrap(err) != nil {
		note.err = err
	}
	return payload, err
}

// bounded reads no more of an answer than is reasonable.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxIssuerAnswer)
	}
	return answer, err
}
