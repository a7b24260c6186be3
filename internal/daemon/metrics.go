package daemon

import (
	"context"
	"net/http"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/metrics"
)

// scrapeTimeout bounds how long a scrape without a key may take.
const scrapeTimeout = 30 * time.Second

// openMetrics comes before what it counts.
func (s *Server) openMetrics(context.Context) error {
	config := metrics.Config{
		Version: s.config.Version, Data: s.config.Data, Reserve: s.config.Reserve,
		Readings: func() []slipway.Reading { return s.meter.Readings() },
		Census:   func(ctx context.Context) ([]slipway.Census, error) { return s.service.Census(ctx) },
		Lost:     func() uint64 { return s.outputs.Lost() },
		Registry: s.readRegistry,
	}
	if counts, ok := s.store.(interface {
		Writes() (commits, updates uint64)
	}); ok {
		config.Writes = counts.Writes
	}
	s.metrics = metrics.New(config)
	s.store = s.metrics.Store(s.store)
	return nil
}

func (s *Server) readRegistry() (metrics.RegistryReading, error) {
	u, err := s.images.Usage()
	c := s.images.Counts()
	return metrics.RegistryReading{Blobs: u.Blobs, Bytes: u.Bytes, Pushed: c.Pushed, Collected: c.Collected, Refused: c.Refused}, err
}

// scrapeAll is for where no key is asked for: who can reach the address may see
// everything.
func (s *Server) scrapeAll() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if !s.Ready() {
			http.Error(w, "The server starts.", http.StatusServiceUnavailable)
			return
		}
		s.metrics.Handler().ServeHTTP(w, r)
	})
	return mux
}

// ScrapesAt is where Prometheus needs no key, "" for nowhere.
func (s *Server) ScrapesAt() string {
	if s.doors.scrapes == nil {
		return ""
	}
	return s.doors.scrapes.Addr().String()
}

// scrapeFor shows everything to those who may see all workspaces, and to others
// the deployments of their own.
func (s *Server) scrapeFor(p slipway.Principal) http.Handler {
	if p.Administers() || p.Organisation && p.Workspace == "" {
		return s.metrics.Handler()
	}
	return s.metrics.HandlerFor(func(w slipway.WorkspaceID) bool { return w == p.Workspace })
}
