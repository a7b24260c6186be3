package client

import (
	"context"
	"net/http"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// RestoreSnapshot has the data of a deleted deployment's final snapshot take the
// place of what a deployment has; with replace also if that is something.
// WaitRestored waits for the end.
func (c *Client) RestoreSnapshot(ctx context.Context, deployment, from string, replace bool) (wire.Deployment, error) {
	var out wire.Deployment
	err := c.post(ctx, deploymentPath(deployment)+"/snapshot-restore", wire.SnapshotRestoreRequest{From: from, Replace: &replace}, &out)
	return out, err
}

// CancelSnapshotRestore ends that while nothing was replaced: it fails then.
func (c *Client) CancelSnapshotRestore(ctx context.Context, deployment string) (wire.Deployment, error) {
	var out wire.Deployment
	err := c.do(ctx, call{method: http.MethodDelete, path: deploymentPath(deployment) + "/snapshot-restore", out: &out})
	return out, err
}

// WaitRestored calls report whenever the restore of a snapshot has come further,
// and returns the deployment once it is done or has failed.
func (c *Client) WaitRestored(ctx context.Context, deployment string, report func(wire.SnapshotRestore)) (wire.Deployment, error) {
	var d wire.Deployment
	var last wire.SnapshotRestore
	err := poll(ctx, pause, func() (changed, done bool, err error) {
		if d, err = c.Deployment(ctx, deployment); err != nil || d.SnapshotRestore == nil {
			return false, err == nil, err
		}
		r := *d.SnapshotRestore
		if changed = r.State != last.State || reason(r) != reason(last); changed {
			report(r)
		}
		last = r
		return changed, r.State == string(slipway.RestoreDone) || r.State == string(slipway.RestoreFailed), nil
	})
	return d, err
}

func reason(r wire.SnapshotRestore) string {
	if r.Reason == nil {
		return ""
	}
	return *r.Reason
}
