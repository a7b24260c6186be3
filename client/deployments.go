package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/slipwayhq/slipway/api/wire"
)

// pageSize is the most that a list answers at once.
const pageSize = 100

// Filter selects deployments; zero fields select all.
type Filter struct {
	Name         string // exact
	NameContains string
	Status       string
}

func (f Filter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"name": f.Name, "name_contains": f.NameContains, "status": f.Status} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// Ready returns nil once the server serves, and every agent that it has
// adopted. It asks once.
func (c *Client) Ready(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodGet, path: "/readyz"})
}

// CreateDeployment makes a deployment. One of an internal source has no
// revision before its first PATCH.
func (c *Client) CreateDeployment(ctx context.Context, in wire.DeploymentCreateRequest) (wire.Deployment, error) {
	if in.Secrets == nil {
		in.Secrets = []wire.Secret{} // required, and never null
	}
	var out wire.Deployment
	err := c.post(ctx, "/v2/deployments", in, &out)
	return out, err
}

// Deployment returns one by its id.
func (c *Client) Deployment(ctx context.Context, id string) (wire.Deployment, error) {
	var out wire.Deployment
	err := c.get(ctx, deploymentPath(id), nil, &out)
	return out, err
}

// Deployments returns all that the filter selects, newest first.
func (c *Client) Deployments(ctx context.Context, f Filter) ([]wire.Deployment, error) {
	return pages(func(offset int) ([]wire.Deployment, error) {
		q := page(f.query(), pageSize, offset)
		var out wire.DeploymentsList
		err := c.get(ctx, "/v2/deployments", q, &out)
		return out.Resources, err
	})
}

// FindDeployment returns the deployment of that name. Where there is none the
// error is one that IsNotFound knows.
func (c *Client) FindDeployment(ctx context.Context, name string) (wire.Deployment, error) {
	found, err := c.Deployments(ctx, Filter{Name: name, NameContains: name})
	if err != nil {
		return wire.Deployment{}, err
	}
	for _, d := range found {
		if d.Name == name {
			return d, nil
		}
	}
	return wire.Deployment{}, &Error{Status: http.StatusNotFound, Detail: fmt.Sprintf("There is no deployment named %q.", name)}
}

// PatchDeployment changes a deployment; where that makes a revision, its id is
// the answer's LatestRevisionID.
func (c *Client) PatchDeployment(ctx context.Context, id string, in wire.DeploymentPatchRequest) (wire.Deployment, error) {
	var out wire.Deployment
	err := c.do(ctx, call{method: http.MethodPatch, path: deploymentPath(id), in: in, out: &out})
	return out, err
}

func deploymentPath(id string) string { return "/v2/deployments/" + url.PathEscape(id) }

// page asks for one page of a list.
func page(q url.Values, limit, offset int) url.Values {
	q.Set("limit", strconv.Itoa(limit))
	q.Set("offset", strconv.Itoa(offset))
	return q
}

// pages reads a list to its end, which is a page that is not full.
func pages[T any](read func(offset int) ([]T, error)) ([]T, error) {
	all := []T{} // prints as a list, even empty
	for {
		some, err := read(len(all))
		if err != nil {
			return nil, err
		}
		if all = append(all, some...); len(some) < pageSize {
			return all, nil
		}
	}
}
