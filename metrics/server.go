package metrics

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/disk"
)

// API counts the requests to a handler by the pattern that http.ServeMux found
// for them. What it found none for is one route, whatever was asked for.
func (m *Metrics) API(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin, answer := time.Now(), &answer{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(answer, r)
		method, route := routeOf(r.Pattern)
		m.api.WithLabelValues(route, method, strconv.Itoa(answer.code)).Observe(time.Since(begin).Seconds())
	})
}

// routeOf is one for both prefixes that the API is served under.
func routeOf(pattern string) (method, route string) {
	method, route, ok := strings.Cut(pattern, " ")
	if !ok {
		return "other", "other"
	}
	return method, strings.TrimPrefix(route, "/api-host")
}

// answer remembers the status. It passes everything else on by Unwrap.
type answer struct {
	http.ResponseWriter
	code    int
	written bool
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(code int) {
	if !a.written && code >= http.StatusOK {
		a.code, a.written = code, true
	}
	a.ResponseWriter.WriteHeader(code)
}

// Store measures the writes of a store.
func (m *Metrics) Store(s slipway.Store) slipway.Store { return &store{s, m.updates} }

type store struct {
	slipway.Store
	updates *prometheus.HistogramVec
}

func (s *store) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	begin := time.Now()
	err := s.Store.Update(ctx, fn)
	s.updates.WithLabelValues(outcomeOf(err)).Observe(time.Since(begin).Seconds())
	return err
}

// outcomeOf tells what a caller was refused from what went wrong.
func outcomeOf(err error) string {
	if err == nil {
		return "committed"
	}
	if _, ok := errors.AsType[*slipway.Error](err); ok || errors.Is(err, context.Canceled) {
		return "refused"
	}
	for _, expected := range []error{slipway.ErrNoRow, slipway.ErrStale, slipway.ErrLeased, slipway.ErrLeaseLost, slipway.ErrTransition, slipway.ErrDeleting} {
		if errors.Is(err, expected) {
			return "refused"
		}
	}
	return "failed"
}

// writes counts the commits of a store that lets updates share them.
type writes func() (commits, updates uint64)

var (
	commits = describe("store_commits_total", "Commits of the store.")
	shared  = describe("store_committed_updates_total", "Writing transactions that were committed; several may share a commit.")
)

func (writes) Describe(out chan<- *prometheus.Desc) { out <- commits; out <- shared }

func (w writes) Collect(out chan<- prometheus.Metric) {
	c, u := w()
	out <- prometheus.MustNewConstMetric(commits, prometheus.CounterValue, float64(c))
	out <- prometheus.MustNewConstMetric(shared, prometheus.CounterValue, float64(u))
}

// dataDisk tells of the file system that a folder lies on.
type dataDisk struct {
	folder  string
	reserve int64
}

var (
	free    = describe("data_disk_free_bytes", "What is left for this server on the file system of its data folder.")
	size    = describe("data_disk_size_bytes", "Size of the file system of the data folder.")
	reserve = describe("data_disk_reserve_bytes", "With less left than this, builds, uploads and pushes are refused.")
)

func (*dataDisk) Describe(out chan<- *prometheus.Desc) { out <- free; out <- size; out <- reserve }

func (d *dataDisk) Collect(out chan<- prometheus.Metric) {
	space, err := disk.SpaceOf(d.folder)
	if err != nil {
		out <- prometheus.NewInvalidMetric(free, err)
		return
	}
	out <- prometheus.MustNewConstMetric(free, prometheus.GaugeValue, float64(space.Free))
	out <- prometheus.MustNewConstMetric(size, prometheus.GaugeValue, float64(space.Size))
	out <- prometheus.MustNewConstMetric(reserve, prometheus.GaugeValue, float64(d.reserve))
}

// output tells of what agents print.
type output func() uint64

var lost = describe("agent_output_lost_bytes_total", "Bytes that agents printed and that were dropped, because more came than could be stored.")

func (output) Describe(out chan<- *prometheus.Desc) { out <- lost }

func (o output) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(lost, prometheus.CounterValue, float64(o()))
}

// images tells of the registry.
type images func() (RegistryReading, error)

var (
	blobs     = describe("registry_blobs", "Blobs that the registry keeps, layers and what describes images.")
	bytes     = describe("registry_bytes", "Bytes of them; what deployments share counts once.")
	pushed    = describe("registry_pushes_total", "Images that were pushed; one that is pushed again counts again.")
	collected = describe("registry_collected_blobs_total", "Blobs that were removed since nothing needed them.")
	refused   = describe("registry_refused_total", "Requests that the registry refused, by the protocol's code.", "code")
)

func (images) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{blobs, bytes, pushed, collected, refused} {
		out <- d
	}
}

func (i images) Collect(out chan<- prometheus.Metric) {
	r, err := i()
	if err != nil {
		out <- prometheus.NewInvalidMetric(bytes, err)
		return
	}
	out <- prometheus.MustNewConstMetric(blobs, prometheus.GaugeValue, float64(r.Blobs))
	out <- prometheus.MustNewConstMetric(bytes, prometheus.GaugeValue, float64(r.Bytes))
	out <- prometheus.MustNewConstMetric(pushed, prometheus.CounterValue, float64(r.Pushed))
	out <- prometheus.MustNewConstMetric(collected, prometheus.CounterValue, float64(r.Collected))
	for code, n := range r.Refused {
		out <- prometheus.MustNewConstMetric(refused, prometheus.CounterValue, float64(n), code)
	}
}
