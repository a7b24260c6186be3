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
	full  bool
	err   error
	asked int
}

func (s *server) Enforce(context.Context, slipway.DeploymentID) (slipway.DatabaseUsage, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.usage, s.full, s.err
}

func (s *server) set(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

// A database is measured once a minute, where there is one; that it is full is said
// once, and a server that does not tell changes nothing.
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
			s.full, s.usage.Bytes = true, 9
		})
		time.Sleep(5 * time.Minute)
		s.set(func() { s.err = errors.New("it does not answer") })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		for _, r := range m.Readings() {
			switch has := r.Deployment.ID == app; {
			case has != (r.Database != nil):
				t.Errorf("%s has %+v", r.Deployment.ID, r.Database)
			case has && *r.Database != (slipway.DatabaseUsage{Bytes: 9, Connections: 2}):
				t.Errorf("measured %+v", *r.Database)
			}
		}
		if n := strings.Count(log.String(), "larger than it may be"); n != 1 {
			t.Errorf("said %d times that it is full:\n%s", n, log)
		}
	})
}
