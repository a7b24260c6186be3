package gateway_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/gateway"
)

// BenchmarkOverhead sends the same small request through a bare ReverseProxy and
// through the gateway by turns, and reports how much longer the gateway takes.
func BenchmarkOverhead(b *testing.B) {
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}))
	defer agent.Close()
	to, _ := url.Parse(agent.URL)
	plain := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	})
	defer plain.Close()
	g := bare(gateway.Config{KeyTTL: time.Hour})
	g.Route(route(to.Host))
	ours := httptest.NewServer(g)
	defer ours.Close()

	var bareTime, ourTime time.Duration
	for b.Loop() {
		bareTime += once(b, plain.URL+"/threads/t/runs/wait")
		ourTime += once(b, ours.URL+"/d/app/threads/t/runs/wait")
	}
	b.ReportMetric(float64(bareTime.Microseconds())/float64(b.N), "bare-µs")
	b.ReportMetric(float64(ourTime.Microseconds())/float64(b.N), "ours-µs")
	b.ReportMetric(float64(ourTime)/float64(bareTime), "ratio")
}

var benchBody = bytes.Repeat([]byte("x"), 1000)

func once(b *testing.B, url string) time.Duration {
	start := time.Now()
	r, _ := http.NewRequest(http.MethodPost, url, bytes.NewReader(benchBody))
	r.Header.Set("X-Api-Key", "good")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if err != nil || n != int64(len(benchBody)) || res.StatusCode != 200 {
		b.Fatal(res.Status, n, err)
	}
	return time.Since(start)
}
