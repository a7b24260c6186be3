package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// Config says from whom certificates are had, and for which names.
type Config struct {
	Dir       string // for certificates, keys and the account
	Directory string // URL of the authority; "" for Let's Encrypt
	Roots     string // file with certificates, in PEM, that vouch for the authority's own; "" for the system's
	Email     string // where the authority may write to, or ""
	Default   string // name of a client that names none
	// Decide returns an error if a name is not ours. It may wait.
	Decide func(ctx context.Context, name string) error
	// PlainPort takes requests over HTTP for these names, on port 80 as the
	// authority sees it; 0 for none. Port does so over TLS, on port 443.
	PlainPort, Port int
	// RenewalWindow is the last part of a certificate's life in which it is
	// renewed; 0 for a third.
	RenewalWindow float64
	Now           func() time.Time // paces what is asked; nil for the machine's clock
	Logger        *slog.Logger
}

// Authority has certificates from a certificate authority by ACME.
type Authority struct {
	logger *slog.Logger
	cache  *certmagic.Cache
	magic  *certmagic.Config
	acme   *certmagic.ACMEIssuer
	paced  *paced
}

// OpenAuthority makes one from what lies in its folder. It asks nobody yet.
func OpenAuthority(c Config) (*Authority, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	roots, err := readRoots(c.Roots)
	if err != nil {
		return nil, err
	}
	a, quiet := &Authority{logger: c.Logger}, zap.New(tell{c.Logger.Handler()})
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.magic, nil },
		Logger:           quiet,
	})
	a.magic = certmagic.New(a.cache, certmagic.Config{
		Storage:            &certmagic.FileStorage{Path: c.Dir},
		DefaultServerName:  c.Default,
		RenewalWindowRatio: c.RenewalWindow,
		DisableARI:         c.RenewalWindow != 0,
		OnDemand:           &certmagic.OnDemandConfig{DecisionFunc: decision(c.Decide)},
		Logger:             quiet,
	})
	a.acme = certmagic.NewACMEIssuer(a.magic, certmagic.ACMEIssuer{
		CA: c.Directory, Email: c.Email, Agreed: true, TrustedRoots: roots,
		DisableHTTPChallenge: c.PlainPort == 0, AltHTTPPort: c.PlainPort, AltTLSALPNPort: c.Port,
		Logger: quiet,
	})
	a.paced = newPaced(a.acme, decision(c.Decide), c.Logger, c.Now)
	a.magic.Issuers = []certmagic.Issuer{a.paced}
	return a, a.clean()
}

// keepExpired is how long a certificate is kept after its end.
const keepExpired = 14 * 24 * time.Hour

// clean removes what deployments have left that are long gone.
func (a *Authority) clean() error {
	err := certmagic.CleanStorage(context.Background(), a.magic.Storage, certmagic.CleanStorageOptions{
		Logger: a.magic.Logger, ExpiredCerts: true, ExpiredCertGracePeriod: keepExpired, OCSPStaples: true,
	})
	if err != nil {
		a.Close()
		return fmt.Errorf("clean up certificates: %w", err)
	}
	return nil
}

func readRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the roots of the certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the roots of the certificate authority: %s holds no certificate in PEM", path)
	}
	return pool, nil
}

// refusal is of a name that is not ours: of those there may be many, from
// anyone.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func decision(decide func(context.Context, string) error) func(context.Context, string) error {
	return func(ctx context.Context, name string) error {
		if err := decide(ctx, name); err != nil {
			return refusal{err}
		}
		return nil
	}
}

// GetCertificate is for a tls.Config. It may take as long as the authority does.
func (a *Authority) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := a.magic.GetCertificateWithContext(context.WithoutCancel(hello.Context()), hello)
	if err != nil {
		a.logFailure(hello.ServerName, err)
		return nil, err
	}
	return c, nil
}

// logFailure tells of what nobody else has told.
func (a *Authority) logFailure(name string, err error) {
	_, refused := errors.AsType[refusal](err)
	_, told := errors.AsType[*setback](err)
	if refused || told {
		a.logger.Debug("no certificate", slog.String("name", name), slog.Any("error", err))
		return
	}
	a.logger.Warn("no certificate", slog.String("name", name), slog.Any("error", err))
}

// Forget gives up what is known of a name: its next client is as the first one.
func (a *Authority) Forget(name string) {
	a.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: name}})
	a.paced.forget(name)
}

// Covers says whether a name has a certificate or may get one.
func (a *Authority) Covers(string) bool { return true }

// Challenges answers the authority's questions over HTTP, and leaves the rest
// to another handler.
func (a *Authority) Challenges(rest http.Handler) http.Handler {
	return a.acme.HTTPChallengeHandler(rest)
}

// Close gives up what is being obtained.
func (a *Authority) Close() {
	a.paced.Close()
	a.cache.Stop()
}

// Protocols are for a tls.Config's NextProtos. One is the authority's, which so
// sees that a name is ours.
func (a *Authority) Protocols() []string { return []string{"h2", "http/1.1", "acme-tls/1"} }
