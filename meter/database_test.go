package meter_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/meter"
)

// server has a database of app.
type server struct {
	mu    sync.Mutex
	usage slipway.DatabaseUsage
	err   error
	asked int
}

func (s *server) Enforce(context.Context, slipway.DeploymentID) (slipway.DatabaseUsage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.usage, s.err
}

func (s *server) set(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

// A database is measured once a minute, where there is one; that it is full is said
// once, and while the server does not tell nothing is known of it.
func TestDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s, log := newPlane(), &server{usage: slipway.DatabaseUsage{Bytes: 7, Connections: 2}}, &strings.Builder{}
		m := meter.New(p, p, p, meter.Config{Owner: "here", Databases: s, Logger: slog.New(slog.NewTextHandler(log, nil))})
		defer m.Stop()
		based := row(app)
		based.ProvidedAt = time.Now()
		m.Watch(based, nil, nil)
		m.Watch(row("plain"), nil, nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		s.set(func() {
			if s.asked < 9 || s.asked > 11 {
				t.Errorf("asked %d times in ten minutes", s.asked)
			}
			s.usage.Full, s.usage.Bytes = true, 9
		})
		time.Sleep(5 * time.Minute)
		measured := func(want *slipway.DatabaseUsage) {
			t.Helper()
			for _, r := range m.Readings() {
				expect := want
				if r.Deployment.ID != app {
					expect = nil
				}
				if got := r.Sample.Database; (got == nil) != (expect == nil) || got != nil && *got != *expect {
					t.Errorf("measured of %s: %+v, want %+v", r.Deployment.ID, got, expect)
				}
			}
			if s := one(t, p.samples(app)); (s.Database == nil) != (want == nil) || want != nil && *s.Database != *want {
				t.Errorf("the sample tells %+v, want %+v", s.Database, want)
			}
		}
		measured(&slipway.DatabaseUsage{Bytes: 9, Connections: 2, Full: true})
		s.set(func() { s.err = errors.New("it does not answer") })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		measured(nil)
		s.set(func() { s.err = nil })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		measured(&slipway.DatabaseUsage{Bytes: 9, Connections: 2, Full: true})
		if n := strings.Count(log.String(), "larger than it may be"); n != 1 {
			t.Errorf("said %d times that it is full:\n%s", n, log)
		}
	})
}
