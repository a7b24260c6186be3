package access

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/slipwayhq/slipway"
)

// maxLimited bounds how many are told apart by limits. Who is forgotten because
// others came in between starts with a full bucket.
const maxLimited = 8192

// limits is a token bucket for each of many.
type limits[K comparable] struct {
	rate  rate.Limit // per second; 0: no limit
	burst int

	mu      sync.Mutex
	buckets *recent[K, *rate.Limiter]
}

func newLimits[K comparable](perSecond float64, burst int) *limits[K] {
	return &limits[K]{
		rate: rate.Limit(perSecond), burst: max(burst, int(math.Ceil(perSecond)), 1),
		buckets: newRecent[K, *rate.Limiter](maxLimited / 2),
	}
}

func (l *limits[K]) bucket(key K) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets.get(key)
	if !ok {
		b = rate.NewLimiter(l.rate, l.burst)
		l.buckets.put(key, b)
	}
	return b
}

// take spends one, or says how long to wait for one to be there.
func (l *limits[K]) take(key K, now time.Time) time.Duration {
	if l.rate <= 0 {
		return 0
	}
	b := l.bucket(key)
	if b.AllowN(now, 1) {
		return 0
	}
	return l.wait(b, now)
}

// check says how long to wait for one to be there, and spends none. Who never
// spent any gets no bucket by being asked for.
func (l *limits[K]) check(key K, now time.Time) time.Duration {
	l.mu.Lock()
	b, ok := l.buckets.get(key)
	l.mu.Unlock()
	if l.rate <= 0 || !ok {
		return 0
	}
	return l.wait(b, now)
}

func (l *limits[K]) wait(b *rate.Limiter, now time.Time) time.Duration {
	lacking := 1 - b.TokensAt(now)
	if lacking <= 0 {
		return 0
	}
	return time.Duration(lacking / float64(l.rate) * float64(time.Second))
}

func tooOften(text string, wait time.Duration) error {
	return &slipway.Error{Code: slipway.CodeRateLimited, Text: text, After: wait}
}

// origin is what of an address counts for limits: the host, and of IPv6 the
// network, since a host there has 2^64 addresses.
func origin(address string) string {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	ip := a.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	network, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return network.String()
}

func isLoopback(origin string) bool {
	ip, err := netip.ParseAddr(origin)
	return err == nil && ip.IsLoopback()
}
