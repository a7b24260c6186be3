package gateway_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/gateway"
	"github.com/slipwayhq/slipway/gateway/accesslog"
)

// BenchmarkRequest is a small request through the gateway, and through a bare
// ReverseProxy: where its time and memory go, add -cpuprofile or -memprofile to
// see. Client and agent do as little as they can. The CPU of all three is counted,
// which says more than time where others use the machine.
func BenchmarkRequest(b *testing.B) {
	agent := tinyAgent(b)
	b.Run("bare", func(b *testing.B) {
		to := &url.URL{Scheme: "http", Host: agent}
		hammer(b, "/threads/t", &httputil.ReverseProxy{
			Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(to); r.SetXForwarded() },
			Transport:  &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
			BufferPool: &lent{},
		})
	})
	b.Run("gateway", func(b *testing.B) {
		g := bare(gateway.Config{KeyTTL: time.Hour, AccessLog: accesslog.New(io.Discard, slog.New(slog.DiscardHandler))})
		g.Route(route(agent))
		hammer(b, "/d/app/threads/t", g)
	})
}

// lent is the buffer pool that a bare proxy is given by who knows it.
type lent struct{ pool sync.Pool }

func (l *lent) Get() []byte {
	if b, ok := l.pool.Get().(*[32 << 10]byte); ok {
		return b[:]
	}
	return make([]byte, 32<<10)
}

func (l *lent) Put(b []byte) { l.pool.Put((*[32 << 10]byte)(b)) }

// cpu is what this process has used so far.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

const tinyAnswer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

// tinyAgent answers whatever ends with an empty line.
func tinyAgent(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for r := bufio.NewReader(c); ; {
					line, err := r.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(line) == 2 {
						io.WriteString(c, tinyAnswer)
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func hammer(b *testing.B, path string, h http.Handler) {
	s := httptest.NewServer(h)
	defer s.Close()
	request := "GET " + path + " HTTP/1.1\r\nHost: x\r\nX-Api-Key: good\r\n\r\n"
	b.ReportAllocs()
	b.SetParallelism(16)
	b.ResetTimer()
	before := cpu(b)
	defer func() { b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op") }()
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		for pb.Next() {
			io.WriteString(c, request)
			var line string
			for !strings.HasPrefix(line, "{}") {
				if line, err = r.ReadString('\n'); err != nil && !strings.HasPrefix(line, "{}") {
					if err == io.EOF {
						b.Error(err)
						return
					}
				}
				if line == "\r\n" {
					var body [2]byte
					if _, err := io.ReadFull(r, body[:]); err != nil {
						b.Error(err)
					}
					break
				}
			}
		}
	})
}
