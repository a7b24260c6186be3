package gateway

import (
	"context"
	"strings"
)

// Serves returns nil if a host is the public name of a deployment:
// <slug>.<domain>. Before the gateway is ready, it waits for one, bounded as a
// request without a key is.
func (g *Gateway) Serves(ctx context.Context, host string) error {
	slug, ok := hostName(host, g.config.Domain)
	if !ok || strings.Contains(slug, ".") {
		return errUnknown(host)
	}
	e, err := g.lookup(ctx, &passage{gateway: g, target: target{name: slug}, keyless: true})
	if err != nil {
		return err
	}
	if e == nil || !e.isCalled(slug) {
		return errUnknown(slug)
	}
	return nil
}

// IsBelowDomain says whether a host is one of the domain's, known or not, and
// so never another than an agent's.
func (g *Gateway) IsBelowDomain(host string) bool {
	_, ok := hostName(host, g.config.Domain)
	return ok
}
