package daemon // the handler is called without a network between

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/fake"
)

// benchmarkServer is a whole server with deployments that do not run.
type benchmarkServer struct {
	*Server
	key   string
	ids   []string
	names atomic.Int64
}

func startBenchmark(b *testing.B, deployments int) *benchmarkServer {
	b.Helper()
	data := b.TempDir()
	s, err := Start(b.Context(), Config{
		Data: data, Listen: "127.0.0.1:0", Ports: slipway.PortRange{First: 20000, Last: 20009}, Logger: slog.New(slog.DiscardHandler),
		OpenDriver: func(string) (slipway.Driver, error) {
			return fake.Open(func(slipway.Workload) fake.Behaviour { return fake.Behaviour{} }), nil
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Stop(); err != nil {
			b.Error(err)
		}
	})
	key, err := os.ReadFile(AdminKeyFile(data))
	if err != nil {
		b.Fatal(err)
	}
	bench := &benchmarkServer{Server: s, key: strings.TrimSpace(string(key))}
	for range deployments {
		id, err := bench.create(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		bench.ids = append(bench.ids, id)
	}
	return bench
}

func (s *benchmarkServer) create(ctx context.Context) (id string, err error) {
	answer, err := s.ask(ctx, http.MethodPost, "/v2/deployments", fmt.Sprintf(`{"name":"bench-%d","source":"internal_source",`+
		`"source_config":{"deployment_type":"dev"},"source_revision_config":{},`+
		`"secrets":[{"name":"A","value":"one"},{"name":"B","value":"two"},{"name":"C","value":"three"}]}`, s.names.Add(1)))
	if err != nil {
		return "", err
	}
	_, id, _ = strings.Cut(answer, `"id":"`)
	return id[:36], nil
}

func (s *benchmarkServer) ask(ctx context.Context, method, path, body string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("X-Api-Key", s.key)
	w := httptest.NewRecorder()
	s.doors.main.http.Handler.ServeHTTP(w, r)
	if w.Code >= http.StatusMultipleChoices {
		return "", fmt.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.String(), nil
}

// run has as many ask as there are connections in the benchmark over HTTP.
func (s *benchmarkServer) run(b *testing.B, do func(n int) error) {
	b.Helper()
	b.SetParallelism(8)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	defer func() {
		b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	}()
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := do(int(next.Add(1))); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// cpuTime is what this process has used: where others use the machine too, it
// says more than the time.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func (s *benchmarkServer) path(n int) string { return "/v2/deployments/" + s.ids[n%len(s.ids)] }

func BenchmarkGet(b *testing.B) {
	s := startBenchmark(b, 100)
	s.run(b, func(n int) error {
		_, err := s.ask(b.Context(), http.MethodGet, s.path(n), "")
		return err
	})
}

func BenchmarkList(b *testing.B) {
	s := startBenchmark(b, 100)
	s.run(b, func(int) error {
		_, err := s.ask(b.Context(), http.MethodGet, "/v2/deployments?limit=20", "")
		return err
	})
}

func BenchmarkPatch(b *testing.B) {
	s := startBenchmark(b, 100)
	s.run(b, func(n int) error {
		_, err := s.ask(b.Context(), http.MethodPatch, s.path(n), fmt.Sprintf(`{"display_name":"Name %d"}`, n))
		return err
	})
}

func BenchmarkCreate(b *testing.B) {
	s := startBenchmark(b, 0)
	s.run(b, func(int) error {
		_, err := s.create(b.Context())
		return err
	})
}

// BenchmarkDelete ends when the rows are gone too.
func BenchmarkDelete(b *testing.B) {
	s := startBenchmark(b, b.N)
	s.run(b, func(n int) error {
		_, err := s.ask(b.Context(), http.MethodDelete, s.path(n), "")
		return err
	})
	for _, id := range s.ids {
		for {
			if _, err := s.ask(b.Context(), http.MethodGet, "/v2/deployments/"+id, ""); err != nil {
				break
			}
		}
	}
}
