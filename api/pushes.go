package api

import (
	"context"
	"net"
	"net/url"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// CreatePushToken hands out what an image is pushed with (contract §2, §5).
func (s *server) CreatePushToken(ctx context.Context, r wire.CreatePushTokenRequestObject) (wire.CreatePushTokenResponseObject, error) {
	t, err := s.Control.NewPushToken(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID))
	if err != nil {
		return nil, err
	}
	return wire.CreatePushToken200JSONResponse{
		Token: t.Token, Username: slipway.RegistryUser, ExpiresAt: wire.Time{Time: t.ExpiresAt},
		RegistryURL: RegistryHost(base(ctx)) + "/" + slipway.Repository(t.Deployment),
	}, nil
}

// RegistryHost is what the names of images begin with in the registry of a
// server at an address. Docker takes a first segment for a host only if it has a
// dot or a port, or is localhost; and a registry is never below a path.
func RegistryHost(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if u.Port() != "" || strings.ContainsAny(u.Hostname(), ".:") || u.Hostname() == "localhost" {
		return u.Host
	}
	port := "80"
	if u.Scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
