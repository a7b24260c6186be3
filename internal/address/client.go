package address

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
)

// NewClient returns a client that speaks to agents: no proxy, no redirect, no
// connection that is kept for the next time, which is a while off.
func NewClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DialContext: Dialer(&net.Dialer{}), DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// NewRequest makes a request to an address. A socket has no name that an agent
// should be called by.
func NewRequest(ctx context.Context, method, address, target string, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+Host(address)+target, body)
	if err == nil && strings.HasPrefix(address, socketPrefix) {
		r.Host = "localhost"
	}
	return r, err
}
