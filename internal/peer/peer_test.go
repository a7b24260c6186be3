package peer_test

import (
	"net/http"
	"testing"

	"github.com/slipwayhq/slipway/internal/peer"
)

func TestClient(t *testing.T) {
	proxies, err := peer.Parse([]string{"127.0.0.1", " 10.0.0.0/8", "::1", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		remote string
		said   []string
		want   string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1:5"},
		{"192.0.2.1:5", []string{"198.51.100.1"}, "192.0.2.1:5"}, // a liar
		{"127.0.0.1:5", nil, "127.0.0.1:5"},
		{"127.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1:0"},
		{"[::1]:5", []string{"198.51.100.1"}, "198.51.100.1:0"},
		{"[::ffff:127.0.0.1]:5", []string{"198.51.100.1"}, "198.51.100.1:0"},
		{"127.0.0.1:5", []string{"203.0.113.9, 198.51.100.1, 10.1.2.3"}, "198.51.100.1:0"},
		{"127.0.0.1:5", []string{"203.0.113.9", "198.51.100.1", "10.1.2.3"}, "198.51.100.1:0"},
		{"127.0.0.1:5", []string{"10.9.9.9, 10.1.2.3"}, "10.9.9.9:0"},
		{"127.0.0.1:5", []string{"203.0.113.9, unknown, 10.1.2.3"}, "10.1.2.3:0"},
		{"127.0.0.1:5", []string{""}, "127.0.0.1:5"},
		{"127.0.0.1:5", []string{"198.51.100.1:99"}, "198.51.100.1:0"},
		{"127.0.0.1:5", []string{"[2001:db8::1]:99"}, "[2001:db8::1]:0"},
		{"127.0.0.1:5", []string{"2001:db8::1"}, "[2001:db8::1]:0"},
		{"@", []string{"198.51.100.1"}, "@"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.said}}
		if got := proxies.Client(r); got != c.want {
			t.Errorf("%s said %q: %s, want %s", c.remote, c.said, got, c.want)
		}
	}
}

func TestNobodyIsTrusted(t *testing.T) {
	r := &http.Request{RemoteAddr: "127.0.0.1:5", Header: http.Header{"X-Forwarded-For": {"198.51.100.1"}}}
	if got := peer.Proxies(nil).Client(r); got != "127.0.0.1:5" {
		t.Error(got)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "localhost", "10.0.0.0/33", "10.0.0.0/8/8"} {
		if _, err := peer.Parse([]string{text}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
