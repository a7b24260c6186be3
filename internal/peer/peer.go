// Package peer tells where a request comes from, through proxies that are
// trusted.
package peer

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the peers whose word is taken for where a request came from.
type Proxies []netip.Prefix

// Parse reads addresses and networks, such as 127.0.0.1 or 10.0.0.0/8.
func Parse(list []string) (Proxies, error) {
	var p Proxies
	for _, text := range list {
		network, err := parse(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		p = append(p, network)
	}
	return p, nil
}

func parse(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no address and no network such as 10.0.0.0/8", text)
	}
	return network.Masked(), nil
}

// Trusts says whether a peer, host:port, is one of the proxies.
func (p Proxies) Trusts(remote string) bool {
	if len(p) == 0 {
		return false
	}
	a, ok := address(remote)
	return ok && p.contain(a)
}

func (p Proxies) contain(a netip.Addr) bool {
	for _, network := range p {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// Client is the address that a request comes from: that of the peer, or, if it
// is a proxy, the last in X-Forwarded-For that is none. The port is known of a
// peer only. What stands before an address that is not a proxy's may be invented
// and is not looked at.
func (p Proxies) Client(r *http.Request) string {
	if !p.Trusts(r.RemoteAddr) {
		return r.RemoteAddr
	}
	client := r.RemoteAddr
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, ok := address(strings.TrimSpace(hops[i]))
		if !ok {
			return client
		}
		client = netip.AddrPortFrom(a, 0).String()
		if !p.contain(a) {
			return client
		}
	}
	return client
}

// address reads one with or without a port.
func address(text string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return a.Unmap().WithZone(""), err == nil
}
