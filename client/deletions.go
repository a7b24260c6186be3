package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// DeleteOptions say what a deletion does beside the usual: what can be restored
// is kept aside for a while, and the tracing project stays.
type DeleteOptions struct {
	TracingProject bool // it goes too, with all traces
	Now            bool // nothing is kept aside
}

func (o DeleteOptions) query() url.Values {
	q := url.Values{}
	for name, set := range map[string]bool{"delete_tracing_project": o.TracingProject, "now": o.Now} {
		if set {
			q.Set(name, "true")
		}
	}
	return q
}

// DeletionPlan returns what a deletion would do, and changes nothing.
func (c *Client) DeletionPlan(ctx context.Context, id string, o DeleteOptions) (wire.DeletionPlan, error) {
	var out wire.DeletionPlan
	err := c.get(ctx, deploymentPath(id)+"/deletion-plan", o.query(), &out)
	return out, err
}

// DeleteDeployment begins a deletion; WaitGone waits until the deployment is
// gone, and WatchDeletion shows what becomes of everything that was made for it.
func (c *Client) DeleteDeployment(ctx context.Context, id string, o DeleteOptions) error {
	return c.do(ctx, call{method: http.MethodDelete, path: deploymentPath(id), query: o.query()})
}

// Deletion returns how far the deletion of a deployment has come; of one that is
// done it is the receipt.
func (c *Client) Deletion(ctx context.Context, id string) (wire.Deletion, error) {
	var out wire.Deletion
	err := c.get(ctx, "/v1/deletions/"+url.PathEscape(id), nil, &out)
	return out, err
}

// Deletions returns the receipts of deployments of which nothing is left, the last
// deleted first: of those that had a name, or of all if it is "".
func (c *Client) Deletions(ctx context.Context, name string) ([]wire.Deletion, error) {
	named := url.Values{}
	if name != "" {
		named.Set("name", name)
	}
	return pages(func(offset int) ([]wire.Deletion, error) {
		var out wire.DeletionsList
		err := c.get(ctx, "/v1/deletions", page(named, pageSize, offset), &out)
		return out.Resources, err
	})
}

// WatchDeletion calls report whenever a deletion has come further, and returns
// it once it rests: what can be restored is kept, or nothing is left.
func (c *Client) WatchDeletion(ctx context.Context, id string, report func(wire.Deletion)) (wire.Deletion, error) {
	var last wire.Deletion
	begun := false
	err := poll(ctx, pause, func() (changed, done bool, err error) {
		d, err := c.Deletion(ctx, id)
		if err != nil {
			return false, false, err
		}
		if changed = !begun || further(last, d); changed {
			report(d)
		}
		last, begun = d, true
		return changed, d.State == string(slipway.DeletionKept) || d.State == string(slipway.DeletionDone), nil
	})
	return last, err
}

// further says whether there is something to tell between two looks at a
// deletion.
func further(was, is wire.Deletion) bool {
	if was.State != is.State || len(was.Items) != len(is.Items) {
		return true
	}
	for i := range is.Items {
		a, b := was.Items[i], is.Items[i]
		if (a.RemovedAt == nil) != (b.RemovedAt == nil) || (a.VerifiedAt == nil) != (b.VerifiedAt == nil) || a.Attempts != b.Attempts {
			return true
		}
	}
	return false
}

// DeletedDeployments returns those that are being deleted or can be restored,
// the last deleted first.
func (c *Client) DeletedDeployments(ctx context.Context) ([]wire.DeletedDeployment, error) {
	return pages(func(offset int) ([]wire.DeletedDeployment, error) {
		var out wire.DeletedDeploymentsList
		err := c.get(ctx, "/v1/deleted-deployments", page(url.Values{}, pageSize, offset), &out)
		return out.Resources, err
	})
}

// Leftovers returns what the server found of which nobody knows, the oldest first.
func (c *Client) Leftovers(ctx context.Context) ([]wire.Leftover, error) {
	var out wire.LeftoversList
	err := c.get(ctx, "/v1/leftovers", nil, &out)
	return out.Resources, err
}

// RestoreDeployment takes a deletion back, under another name unless that is "".
func (c *Client) RestoreDeployment(ctx context.Context, id, name string) (wire.Deployment, error) {
	var in wire.DeploymentRestoreRequest
	if name != "" {
		in.Name = &name
	}
	var out wire.Deployment
	err := c.post(ctx, deploymentPath(id)+"/restore", in, &out)
	return out, err
}

// PurgeDeployment has what is kept of a deleted deployment removed before its
// time; WatchDeletion waits for its end.
func (c *Client) PurgeDeployment(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: "/v1/deleted-deployments/" + url.PathEscape(id)})
}
