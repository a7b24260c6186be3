package client_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway/client"
)

// busy answers once that it is busy, and then serves.
type busy struct {
	status int
	after  string
	asked  int
}

func (b *busy) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{}`)), Request: r}
	if b.asked++; b.asked == 1 {
		answer.StatusCode = b.status
		answer.Header.Set("Retry-After", b.after)
	}
	return answer, nil
}

func TestTheServerSaysHowLongToWait(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		after  string
		want   time.Duration
	}{
		"too many requests": {429, "7", 7 * time.Second},
		"unavailable":       {503, "7", 7 * time.Second},
		"a date":            {503, "Sat, 01 Jan 2000 00:00:05 GMT", 5 * time.Second}, // the bubble's clock begins with that day
		"a date long ago":   {503, "Sat, 01 Jan 1994 00:00:05 GMT", 200 * time.Millisecond},
		"not at all":        {429, "", 200 * time.Millisecond},
		"nonsense":          {429, "soon", 200 * time.Millisecond},
		"less than usual":   {429, "0", 200 * time.Millisecond},
		"unreasonably":      {429, "86400", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &busy{status: c.status, after: c.after}
				began := time.Now()
				_, err := client.New("http://slipway.test", "key", client.WithHTTPClient(&http.Client{Transport: b})).Deployment(t.Context(), "d")
				if got := time.Since(began); err != nil || got != c.want || b.asked != 2 {
					t.Errorf("%v after %v and %d requests, want %v", err, got, b.asked, c.want)
				}
			})
		})
	}
}
