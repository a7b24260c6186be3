package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/slipwayhq/slipway/api/wire"
)

// CreateListener registers a data plane elsewhere, one for each compute_id.
func (c *Client) CreateListener(ctx context.Context, in wire.ListenerCreateRequest) (wire.Listener, error) {
	var out wire.Listener
	err := c.do(ctx, call{method: http.MethodPost, path: "/v2/listeners", in: in, out: &out})
	return out, err
}

// Listener returns one by its id.
func (c *Client) Listener(ctx context.Context, id string) (wire.Listener, error) {
	var out wire.Listener
	err := c.get(ctx, listenerPath(id), nil, &out)
	return out, err
}

// Listeners returns all of the workspace, newest first.
func (c *Client) Listeners(ctx context.Context) ([]wire.Listener, error) {
	return pages(func(offset int) ([]wire.Listener, error) {
		var out wire.ListenersList
		err := c.get(ctx, "/v2/listeners", page(url.Values{}, pageSize, offset), &out)
		return out.Resources, err
	})
}

// PatchListener changes version and namespaces; nil changes nothing.
func (c *Client) PatchListener(ctx context.Context, id string, in wire.ListenerPatchRequest) (wire.Listener, error) {
	var out wire.Listener
	err := c.do(ctx, call{method: http.MethodPatch, path: listenerPath(id), in: in, out: &out})
	return out, err
}

// DeleteListener removes one on which no deployment is placed.
func (c *Client) DeleteListener(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: listenerPath(id)})
}

func listenerPath(id string) string { return "/v2/listeners/" + url.PathEscape(id) }
