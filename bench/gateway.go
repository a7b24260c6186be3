package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	gatewayConnections = 64
	// gatewayFor is how long a front is given requests at a time.
	gatewayFor = 3 * time.Second
	// followers take the events of a stream each, at once.
	followers = 16
	// idleStreams are open at once, and say nothing.
	idleStreams = 5_000
)

// gateway measures what stands between a client and an agent: ours, with all
// that a server does for a request, and others.
func gateway(ctx context.Context, l *lab) ([]row, error) {
	if err := allowFiles(); err != nil {
		return nil, err
	}
	upstream, err := l.upstream(ctx)
	if err != nil {
		return nil, err
	}
	fronts, rows := l.fronts(ctx, upstream)
	if len(fronts) == 0 || fronts[0].name != openers[0].name {
		return rows, fmt.Errorf("ours is not among those that run")
	}
	some, err := l.rush(ctx, fronts)
	rows = append(rows, some...)
	if err != nil {
		return rows, err
	}
	some, err = l.listen(ctx, fronts)
	rows = append(rows, some...)
	for _, f := range fronts[:len(fronts)-1] { // the last is the upstream
		err = firstOf(err, f.stop())
	}
	if err != nil {
		return rows, err
	}
	some, err = l.hush(ctx, upstream)
	return append(rows, some...), err
}

func firstOf(err, next error) error {
	if err != nil {
		return err
	}
	return next
}

// upstream is a process of its own; the measure of it alone is the machine's.
func (l *lab) upstream(ctx context.Context) (*front, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s, err := l.plain(ctx, self, upstreamCommand)
	return &front{server: s, name: "direct"}, err
}

// fronts are all that can be had, and rows for those that can not.
func (l *lab) fronts(ctx context.Context, upstream *front) (all []*front, rows []row) {
	for _, o := range openers {
		f, err := o.open(ctx, l, upstream.address())
		if err != nil {
			reason, _, _ := strings.Cut(err.Error(), "\n")
			l.say("  %s: %v", o.name, err)
			rows = append(rows, single("peer: "+o.name, "not measured").against("%s", reason))
			continue
		}
		all = append(all, f)
	}
	return append(all, upstream), rows
}

func (s *server) address() string { return strings.TrimPrefix(s.url, "http://") }

// rush sends requests as fast as they are answered, to all in turn.
func (l *lab) rush(ctx context.Context, fronts []*front) ([]row, error) {
	done := make([]bursts, len(fronts))
	for round := range l.times(rounds) {
		l.say("  requests: round %d", round+1)
		for turn := range fronts {
			who := (round + turn) % len(fronts)
			b, err := fronts[who].rush(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", fronts[who].name, err)
			}
			done[who] = append(done[who], b)
		}
	}
	var rows []row
	for i, f := range fronts {
		all := done[i].times()
		rows = append(rows, rates(fmt.Sprintf("%d connections: %s", gatewayConnections, f.name), done[i].rates()).
			against("p50 %s, p99 %s; %.0f µs of its CPU each", millis(all.percentile(50)), millis(all.percentile(99)), micros(done[i].each())))
	}
	wanted := map[string]float64{"Caddy": 1.3, "ReverseProxy": 0.85}
	for i, f := range fronts[1 : len(fronts)-1] {
		r := done[0].over(done[i+1])
		compared := factors(fmt.Sprintf("%d connections: Slipway over %s", gatewayConnections, f.name), r)
		if want := wanted[f.name]; want > 0 {
			compared = compared.with(atLeast(r.median(), want, fmt.Sprintf("%v ×", want)))
		}
		rows = append(rows, compared)
	}
	return rows, nil
}

func (f *front) rush(ctx context.Context) (burst, error) {
	c := f.caller()
	defer c.client.CloseIdleConnections()
	path := f.prefix + answerPath
	return send(ctx, f.server, plan{within: gatewayFor, at: gatewayConnections}, func(int) error {
		return c.do(call{"GET", path, nil, fasthttp.StatusOK}, nil)
	})
}

func (f *front) caller() *caller {
	name, value := f.header[0], f.header[1]
	if name == "" {
		name, value = "X-Nothing", "nothing" // the others are sent as much
	}
	c := newCaller(f.server, name, value)
	c.client.MaxConns = gatewayConnections
	return c
}

// listen follows streams of events, at all in turn.
func (l *lab) listen(ctx context.Context, fronts []*front) ([]row, error) {
	first, delay := make([]samples, len(fronts)), make([]samples, len(fronts))
	for round := range l.times(rounds) {
		l.say("  events: round %d", round+1)
		for turn := range fronts {
			who := (round + turn) % len(fronts)
			one, some, err := fronts[who].listen(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", fronts[who].name, err)
			}
			first[who], delay[who] = append(first[who], one...), append(delay[who], some...)
		}
	}
	var rows []row
	for i, f := range fronts {
		rows = append(rows,
			spread(fmt.Sprintf("%d streams: to the first event: %s", followers, f.name), first[i]).against("p99 %s", millis(first[i].percentile(99))),
			spread(fmt.Sprintf("%d streams, an event each %v: delay of one: %s", followers, eventGap, f.name), delay[i]).
				against("p99 %s", millis(delay[i].percentile(99))))
	}
	return rows, nil
}

// listen returns how long each stream took to begin, and each event to come.
func (f *front) listen(ctx context.Context) (first, delays samples, err error) {
	var mu sync.Mutex
	var following sync.WaitGroup
	for range followers {
		following.Go(func() {
			begun := time.Now()
			s, e := f.open(ctx, eventsPath)
			if e == nil {
				defer s.Close()
				var came []time.Duration
				came, e = s.follow(events)
				mu.Lock()
				defer mu.Unlock()
				first, delays = append(first, s.began.Sub(begun)), append(delays, came...)
			} else {
				mu.Lock()
				defer mu.Unlock()
			}
			err = firstOf(err, e)
		})
	}
	following.Wait()
	return first, delays, err
}

// stream is a connection on which events come.
type stream struct {
	net.Conn
	lines *bufio.Reader
	began time.Time // when the first event was there
	sent  time.Duration
}

// open asks for a stream and returns when its first event is there.
func (f *front) open(ctx context.Context, path string) (*stream, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", f.address())
	if err != nil {
		return nil, err
	}
	header := ""
	if f.header[0] != "" {
		header = f.header[0] + ": " + f.header[1] + "\r\n"
	}
	if _, err := fmt.Fprintf(c, "GET %s%s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n%s\r\n", f.prefix, path, f.address(), header); err != nil {
		c.Close()
		return nil, err
	}
	s := &stream{Conn: c, lines: bufio.NewReaderSize(c, 1<<10)}
	if s.sent, err = s.event(); err != nil {
		c.Close()
		return nil, err
	}
	s.began = time.Now()
	return s, nil
}

// event reads up to the next event and returns how long it was under way.
func (s *stream) event() (time.Duration, error) {
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if at, found := strings.CutPrefix(line, "data: "); found {
			now := time.Now().UnixNano()
			sent, err := strconv.ParseInt(strings.TrimSpace(at), 10, 64)
			return time.Duration(now - sent), err
		}
	}
}

// follow reads until there were n events and returns how long each was under way.
func (s *stream) follow(n int) (all []time.Duration, err error) {
	for all = append(all, s.sent); len(all) < n; {
		d, err := s.event()
		if err != nil {
			return all, err
		}
		all = append(all, d)
	}
	return all, nil
}

// hush opens many streams that say nothing at each front, begun anew, and
// weighs it before and after.
func (l *lab) hush(ctx context.Context, upstream *front) ([]row, error) {
	var rows []row
	for _, o := range openers {
		l.say("  idle streams: %s", o.name)
		f, err := o.open(ctx, l, upstream.address())
		if err != nil {
			continue // told of before
		}
		each, err := f.hush(ctx)
		err = firstOf(err, f.stop())
		if err != nil {
			return rows, fmt.Errorf("%s: %w", f.name, err)
		}
		r := single(fmt.Sprintf("%d idle streams: memory (RSS) of each: %s", idleStreams, f.name), fmt.Sprintf("%.1f KiB", float64(each)/1024))
		if f.name == openers[0].name {
			r = r.with(atMost(each, 60<<10, "60 KiB"))
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (f *front) hush(ctx context.Context) (each int64, err error) {
	if err := pause(ctx, 2*time.Second); err != nil {
		return 0, err
	}
	before, err := rss(f.pid())
	if err != nil {
		return 0, err
	}
	var open []*stream
	defer func() {
		for _, s := range open {
			s.Close()
		}
	}()
	for range idleStreams {
		s, err := f.open(ctx, idlePath)
		if err != nil {
			return 0, err
		}
		s.lines = nil
		open = append(open, s)
	}
	if err := pause(ctx, 5*time.Second); err != nil {
		return 0, err
	}
	after, err := rss(f.pid())
	return (after - before) / idleStreams, err
}
