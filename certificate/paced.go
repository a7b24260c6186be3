package certificate

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/time/rate"

	"github.com/slipwayhq/slipway/internal/backoff"
)

// Let's Encrypt takes 300 orders in three hours from an account, and lets a name
// fail five times an hour.
const (
	ordersAtOnce = 20
	orderEvery   = time.Minute
)

var afterFailure = backoff.Exponential{First: time.Minute, Most: 6 * time.Hour}

// paced asks an authority no more than it bears.
type paced struct {
	certmagic.Issuer
	decide func(ctx context.Context, name string) error
	logger *slog.Logger
	now    func() time.Time
	orders *rate.Limiter
	closed context.Context
	close  context.CancelFunc
	asking sync.WaitGroup

	mu     sync.Mutex
	failed map[string]setback // by names
}

// setback is that a name has no new certificate yet.
type setback struct {
	times int
	until time.Time // when the authority may be asked again
	cause error
}

func (s *setback) Error() string {
	return fmt.Sprintf("%v; not asked again before %s", s.cause, s.until.UTC().Format(time.RFC3339))
}

func (s *setback) Unwrap() error { return s.cause }

func newPaced(i certmagic.Issuer, decide func(context.Context, string) error, logger *slog.Logger, now func() time.Time) *paced {
	p := &paced{
		Issuer: i, decide: decide, logger: logger, now: now,
		orders: rate.NewLimiter(rate.Every(orderEvery), ordersAtOnce), failed: map[string]setback{},
	}
	p.closed, p.close = context.WithCancel(context.Background())
	return p
}

// Close gives up what is being asked, and waits for its end.
func (p *paced) Close() {
	p.mu.Lock()
	p.close()
	p.mu.Unlock()
	p.asking.Wait()
}

// PreCheck is a part of the issuer that certmagic asks for by type.
func (p *paced) PreCheck(ctx context.Context, names []string, interactive bool) error {
	if c, ok := p.Issuer.(certmagic.PreChecker); ok {
		return c.PreCheck(ctx, names, interactive)
	}
	return nil
}

// Issue asks the authority, or returns at once why it does not. The next
// handshake is the next try: a retry here would have this one wait.
func (p *paced) Issue(ctx context.Context, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	names := strings.Join(request.DNSNames, ",")
	if s := p.wait(names); s != nil {
		return nil, certmagic.ErrNoRetry{Err: s}
	}
	issued, err := p.ask(ctx, request)
	if p.closed.Err() != nil && err != nil {
		return nil, certmagic.ErrNoRetry{Err: err}
	}
	if err != nil {
		return nil, certmagic.ErrNoRetry{Err: p.fail(names, err)}
	}
	p.forget(names)
	if err := p.stillOurs(ctx, request.DNSNames); err != nil {
		return nil, certmagic.ErrNoRetry{Err: err}
	}
	p.logger.Info("certificate obtained", slog.String("name", names))
	return issued, nil
}

// stillOurs keeps what was asked for from being stored after its deployment is
// gone: nobody would remove it.
func (p *paced) stillOurs(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := p.decide(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (p *paced) ask(ctx context.Context, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	p.mu.Lock()
	if err := p.closed.Err(); err != nil {
		p.mu.Unlock()
		return nil, err
	}
	p.asking.Add(1)
	p.mu.Unlock()
	defer p.asking.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.closed, cancel)()
	return p.Issuer.Issue(ctx, request)
}

// wait returns a setback if the authority is not to be asked now.
func (p *paced) wait(names string) *setback {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if s, ok := p.failed[names]; ok && now.Before(s.until) {
		return &s
	}
	if !p.orders.AllowN(now, 1) {
		p.logger.Warn("certificate is put off: too many at once", slog.String("name", names))
		return &setback{until: now.Add(orderEvery), cause: fmt.Errorf("more than %d certificates at once", ordersAtOnce)}
	}
	return nil
}

func (p *paced) fail(names string, cause error) *setback {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.failed[names]
	s.times++
	s.until, s.cause = p.now().Add(afterFailure.After(s.times)), cause
	p.failed[names] = s
	p.logger.Warn("certificate not obtained; one that is good still goes on",
		slog.String("name", names), slog.Int("failures", s.times), slog.Time("next", s.until.UTC()), slog.Any("error", cause))
	return &s
}

func (p *paced) forget(names string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.failed, names)
}
