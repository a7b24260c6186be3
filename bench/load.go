package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// connections is how many requests are under way at once, each on a connection
// of its own that is kept.
const connections = 16

// call is one request.
type call struct {
	method, path string
	body         []byte // JSON, nil for none
	want         int    // status
}

// caller sends requests to one server. It is the same for all, and takes as
// little of the machine as it can: the servers share it.
type caller struct {
	client *fasthttp.HostClient
	header [2]string // that authorises
	base   string
}

func newCaller(s *server, name, value string) *caller {
	return &caller{
		client: &fasthttp.HostClient{Addr: s.url[len("http://"):], MaxConns: connections, NoDefaultUserAgentHeader: true},
		header: [2]string{name, value}, base: s.url,
	}
}

// do sends one request, and gives the answer's body to read, which may not keep
// it. It is not sent again if it fails.
func (c *caller) do(r call, read func([]byte) error) error {
	request, answer := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(answer)
	request.SetRequestURI(c.base + r.path)
	request.Header.SetMethod(r.method)
	request.Header.Set(c.header[0], c.header[1])
	if r.body != nil {
		request.Header.SetContentType("application/json")
		request.SetBodyRaw(r.body)
	}
	if err := c.client.Do(request, answer); err != nil {
		return fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	if answer.StatusCode() != r.want {
		return fmt.Errorf("%s %s: status %d, want %d: %s", r.method, r.path, answer.StatusCode(), r.want, answer.Body())
	}
	if read == nil {
		return nil
	}
	return read(answer.Body())
}

// burst is what came of requests sent as fast as they were answered.
type burst struct {
	took  time.Duration
	times samples
	cpu   time.Duration // that the server used
}

func (b burst) rate() float64 { return float64(len(b.times)) / b.took.Seconds() }

// bursts are rounds of the same work on the same server.
type bursts []burst

func (b bursts) rates() numbers {
	var all numbers
	for _, one := range b {
		all = append(all, one.rate())
	}
	return all
}

// over are the ratios of the rates, round by round.
func (b bursts) over(base bursts) numbers {
	var all numbers
	for i := range b {
		all = append(all, b[i].rate()/base[i].rate())
	}
	return all
}

// times of all rounds.
func (b bursts) times() samples {
	var all samples
	for _, one := range b {
		all = append(all, one.times...)
	}
	return all
}

// each is the server's CPU for one request.
func (b bursts) each() time.Duration {
	var cpu time.Duration
	for _, one := range b {
		cpu += one.cpu
	}
	return cpu / time.Duration(max(1, len(b.times())))
}

// load has all connections do their work, numbered from 0 on, as fast as it is
// answered, until there are limit (0: no limit) or the time is over (0: no bound).
func load(ctx context.Context, s *server, limit int, within time.Duration, do func(n int) error) (burst, error) {
	return send(ctx, s, plan{limit: limit, within: within}, do)
}

// plan says how much is sent, and how fast.
type plan struct {
	limit  int
	within time.Duration
	gap    time.Duration   // between one request and the next; 0: as fast as they are answered
	at     int             // how many at once; 0 for connections
	until  <-chan struct{} // is closed when it is over; nil for never
}

func (p plan) over(begun time.Time) bool {
	select {
	case <-p.until:
		return true
	default:
	}
	return p.within > 0 && time.Since(begun) >= p.within
}

// start waits until request n is due and returns when its time begins. Where
// answers to those before kept it waiting, that is the server's time too; how
// late our own timer wakes is not.
func (p plan) start(begun time.Time, n int) time.Time {
	if p.gap == 0 {
		return time.Now()
	}
	due := begun.Add(time.Duration(n) * p.gap)
	wait := time.Until(due)
	if wait <= 0 {
		return due
	}
	time.Sleep(wait)
	return time.Now()
}

func send(ctx context.Context, s *server, p plan, do func(n int) error) (burst, error) {
	var next atomic.Int64
	workers := cmp.Or(p.at, connections)
	times := make([]samples, workers)
	errs := make([]error, workers)
	before, err := s.cpu()
	if err != nil {
		return burst{}, err
	}
	var working sync.WaitGroup
	begun := time.Now()
	for worker := range workers {
		working.Go(func() {
			for !p.over(begun) {
				n := int(next.Add(1)) - 1
				if p.limit > 0 && n >= p.limit || ctx.Err() != nil {
					return
				}
				sent := p.start(begun, n)
				if errs[worker] = do(n); errs[worker] != nil {
					return
				}
				times[worker] = append(times[worker], time.Since(sent))
			}
		})
	}
	working.Wait()
	b := burst{took: time.Since(begun), times: slices.Concat(times...)}
	after, err := s.cpu()
	b.cpu = after - before
	for _, e := range append(errs, err, ctx.Err()) {
		if e != nil {
			return b, e
		}
	}
	return b, nil
}
