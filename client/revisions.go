package client

import (
	"context"
	"net/url"

	"github.com/slipwayhq/slipway/api/wire"
)

// Revisions returns all revisions of a deployment, newest first.
func (c *Client) Revisions(ctx context.Context, deployment string) ([]wire.Revision, error) {
	return pages(func(offset int) ([]wire.Revision, error) {
		var out wire.RevisionsList
		err := c.get(ctx, deploymentPath(deployment)+"/revisions", page(url.Values{}, pageSize, offset), &out)
		return out.Resources, err
	})
}

// Revision returns one by its id.
func (c *Client) Revision(ctx context.Context, deployment, revision string) (wire.Revision, error) {
	var out wire.Revision
	err := c.get(ctx, revisionPath(deployment, revision), nil, &out)
	return out, err
}

// Redeploy makes a new revision of an old one's artefact, configuration and
// variables, without a build; its id is the answer's LatestRevisionID.
func (c *Client) Redeploy(ctx context.Context, deployment, revision string) (wire.Deployment, error) {
	var out wire.Deployment
	err := c.post(ctx, revisionPath(deployment, revision)+"/redeploy", nil, &out)
	return out, err
}

// RotateDatabasePassword gives a deployment a new login to its database, and a
// revision that signs in by it; its id is the answer's LatestRevisionID.
func (c *Client) RotateDatabasePassword(ctx context.Context, deployment string) (wire.Deployment, error) {
	var out wire.Deployment
	err := c.post(ctx, deploymentPath(deployment)+"/database-password", nil, &out)
	return out, err
}

// Interrupt cancels a revision that has not ended.
func (c *Client) Interrupt(ctx context.Context, deployment, revision string) error {
	return c.post(ctx, revisionPath(deployment, revision)+"/interruption", nil, nil)
}

func revisionPath(deployment, revision string) string {
	return deploymentPath(deployment) + "/revisions/" + url.PathEscape(revision)
}
