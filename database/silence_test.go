package database_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// impatient gives up soon.
func impatient(c *database.Config) { c.Patience = time.Second }

// expectSilence makes every call at once, each of which is to say that the server
// does not answer.
func expectSilence(t *testing.T, p *database.Postgres, r slipway.DatabaseRequest) {
	t.Helper()
	d := r.Deployment
	var all sync.WaitGroup
	for name, call := range map[string]func(context.Context) error{
		"Reach":   p.Reach,
		"Provide": func(ctx context.Context) error { _, err := p.Provide(ctx, r); return err },
		"Logins":  func(ctx context.Context) error { _, err := p.Logins(ctx, d); return err },
		"Retire":  func(ctx context.Context) error { return p.Retire(ctx, d, 1) },
		"Usage":   func(ctx context.Context) error { _, err := p.Usage(ctx, d); return err },
		"Enforce": func(ctx context.Context) error { _, err := p.Enforce(ctx, d); return err },
		"Export":  func(ctx context.Context) error { return p.Export(ctx, d, io.Discard) },
		"Import": func(ctx context.Context) error {
			return p.Import(ctx, d, bytes.NewReader(nil), func(context.Context) error { return nil })
		},
		"Purge":   func(ctx context.Context) error { return p.Purge(ctx, d) },
		"Remains": func(ctx context.Context) error { _, err := p.Remains(ctx, d); return err },
	} {
		all.Go(func() {
			err := call(t.Context())
			if _, final := errors.AsType[*slipway.Failure](err); err == nil || final || !strings.Contains(err.Error(), "does not answer") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
}

// A server that takes connections and says nothing holds nobody up.
func TestSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // what is never accepted is connected all the same
	expectSilence(t, open(t, given(t, "postgres://me:"+password+"@"+l.Addr().String()+"/postgres"), impatient), request())
}

// Nor does one that falls silent later, with connections open and a dump under way.
func TestFallsSilent(t *testing.T) {
	c := postgrestest.Start(t)
	r := request()
	uri, err := open(t, given(t, c.URL("postgres"))).Provide(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	ask(t, uri, `WITH rows AS (SELECT string_agg(md5(n::text), '') AS noise, n / 100 AS row FROM generate_series(1, 300000) n GROUP BY 2)
		SELECT count(lo_from_bytea(0, noise::bytea)) || '' FROM rows`)
	p := open(t, given(t, c.URL("postgres")), impatient)
	begun, frozen, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		slow := true // the machine, so that it is given up too soon
		var err error
		for slow && t.Context().Err() == nil {
			err = p.Export(t.Context(), r.Deployment, writing(func(b []byte) (int, error) {
				once.Do(func() { slow = false; close(begun) })
				<-frozen
				return len(b), nil
			}))
		}
		ended <- err
	}()
	testsignal.Receive(t, "a dump", begun)
	c.Freeze(t)
	close(frozen)
	if err := testsignal.Receive(t, "the end of the dump", ended); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("the dump: %v", err)
	}
	expectSilence(t, p, r)
}

// writing is where a dump goes.
type writing func([]byte) (int, error)

func (w writing) Write(b []byte) (int, error) { return w(b) }
