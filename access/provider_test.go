package access_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// provider is a real OpenID Connect provider on loopback: the example server of
// zitadel/oidc, with claims that a test sets and keys that it changes.
type provider struct {
	*storage.Storage
	t   *testing.T
	url string

	asked atomic.Int64 // requests of any kind
	down  atomic.Bool

	mu     sync.Mutex
	claims map[string]any
	key    signingKey
}

const redirect = "http://localhost:9999/auth/callback" // of the example's clients

// registered is made once: the example keeps its clients in a global.
var registered = sync.OnceFunc(func() {
	storage.RegisterClients(storage.WebClient("slipway", "secret", redirect), storage.WebClient("other", "secret", redirect))
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the example logs there
})

func newProvider(t *testing.T) *provider {
	t.Helper()
	registered()
	p := &provider{t: t}
	p.rotate()
	var router http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if p.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		router.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	p.Storage = storage.NewStorage(storage.NewUserStore(p.url))
	router = exampleop.SetupServer(p.url, p, nil, false)
	return p
}

// rotate gives the provider another key; the old one is forgotten.
func (p *provider) rotate() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key = signingKey{key, rand.Text()}
}

func (p *provider) claim(claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims = claims
}

func (p *provider) SigningKey(context.Context) (op.SigningKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.key, nil
}

func (p *provider) KeySet(context.Context) ([]op.Key, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []op.Key{publicKey{p.key}}, nil
}

func (p *provider) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	p.mu.Lock()
	for name, value := range p.claims {
		info.AppendClaims(name, value)
	}
	p.mu.Unlock()
	return p.Storage.SetUserinfoFromRequest(ctx, info, r, scopes)
}

type signingKey struct {
	*rsa.PrivateKey
	id string
}

func (k signingKey) ID() string                                  { return k.id }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Key() any                                    { return k.PrivateKey }

type publicKey struct{ signingKey }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.PublicKey }

// token logs a person in, as a browser and a client would, and returns the ID
// token that the client gets.
func (p *provider) token(client string) string {
	p.t.Helper()
	browser := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), redirect) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	login := p.send(browser.Get(p.url + "/auth?" + url.Values{
		"client_id": {client}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"},
	}.Encode()))
	back := p.send(browser.PostForm(p.url+"/login/username", url.Values{
		"username": {"test-user@127.0.0.1"}, "password": {"verysecure"}, "id": {login.Request.URL.Query().Get("authRequestID")},
	}))
	place, err := back.Location()
	if err != nil {
		p.t.Fatalf("login: %d, %v", back.StatusCode, err)
	}
	answer, err := http.PostForm(strings.Replace(p.url, "http://", "http://"+client+":secret@", 1)+"/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {place.Query().Get("code")}, "redirect_uri": {redirect},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	var tokens struct {
		ID string `json:"id_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil || tokens.ID == "" {
		p.t.Fatalf("no token: %d, %v", answer.StatusCode, err)
	}
	return tokens.ID
}

func (p *provider) send(answer *http.Response, err error) *http.Response {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	answer.Body.Close()
	return answer
}
