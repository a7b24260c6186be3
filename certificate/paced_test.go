package certificate

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// authority issues, or fails, and counts the questions.
type authority struct {
	asked int
	err   error
}

func (a *authority) IssuerKey() string { return "test" }

func (a *authority) Issue(context.Context, *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	a.asked++
	return &certmagic.IssuedCertificate{}, a.err
}

func anyName(context.Context, string) error { return nil }

// A name that stopped being ours while the authority worked gets nothing: nobody
// would remove it.
func TestPacedNameThatIsGone(t *testing.T) {
	a, gone := &authority{}, errors.New("gone")
	p := newPaced(a, func(context.Context, string) error { return gone }, slog.New(slog.DiscardHandler), time.Now)
	issued, err := p.Issue(t.Context(), requestFor("a"))
	if _, final := errors.AsType[certmagic.ErrNoRetry](err); issued != nil || !final || !errors.Is(err, gone) || a.asked != 1 {
		t.Errorf("%v, %v", issued, err)
	}
}

func requestFor(name string) *x509.CertificateRequest {
	return &x509.CertificateRequest{DNSNames: []string{name}}
}

// After a failure a name waits, the longer the more there were; others do not.
func TestPacedFailures(t *testing.T) {
	a, now := &authority{err: errors.New("away")}, time.Unix(0, 0)
	p := newPaced(a, anyName, slog.New(slog.DiscardHandler), func() time.Time { return now })
	for n, wait := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		for range 3 { // within the wait nobody is asked
			_, err := p.Issue(t.Context(), requestFor("a"))
			if _, told := errors.AsType[*setback](err); !told || !errors.Is(err, a.err) {
				t.Fatalf("error %v", err)
			}
			if _, final := errors.AsType[certmagic.ErrNoRetry](err); !final {
				t.Fatalf("%v would be tried again while a client waits", err)
			}
		}
		if a.asked != n+1 {
			t.Fatalf("asked %d times, want %d", a.asked, n+1)
		}
		now = now.Add(wait)
	}
	a.err = nil
	for _, name := range []string{"b", "a", "a"} {
		if _, err := p.Issue(t.Context(), requestFor(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a.asked != 6 || len(p.failed) != 0 {
		t.Errorf("asked %d times; %d failures left", a.asked, len(p.failed))
	}
}

// Many names at once are put off, not failed.
func TestPacedOrders(t *testing.T) {
	a, now := &authority{}, time.Unix(0, 0)
	p := newPaced(a, anyName, slog.New(slog.DiscardHandler), func() time.Time { return now })
	ask := func(name string) error {
		_, err := p.Issue(t.Context(), requestFor(name))
		return err
	}
	for n := range ordersAtOnce {
		must(t, ask(fmt.Sprint(n)))
	}
	if ask("one more") == nil || a.asked != ordersAtOnce {
		t.Errorf("asked %d times", a.asked)
	}
	now = now.Add(orderEvery)
	must(t, ask("one more"))
}
