package client

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// UploadURL asks where to upload a source archive to. The answer's ObjectPath
// is what a PATCH then names as source_tarball_path.
func (c *Client) UploadURL(ctx context.Context, deployment string) (wire.UploadURL, error) {
	var out wire.UploadURL
	err := c.post(ctx, deploymentPath(deployment)+"/upload-url", nil, &out)
	return out, err
}

// PushToken asks for what an image is pushed with, for a deployment of the source
// internal_docker.
func (c *Client) PushToken(ctx context.Context, deployment string) (wire.PushToken, error) {
	var out wire.PushToken
	err := c.post(ctx, deploymentPath(deployment)+"/push-token", nil, &out)
	return out, err
}

// Upload sends an archive of size bytes to the address that UploadURL gave. The
// address authorises itself: no key is sent.
func (c *Client) Upload(ctx context.Context, address string, archive io.Reader, size int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, address, archive)
	if err != nil {
		return fmt.Errorf("make upload: %w", err)
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/gzip")
	req.Header.Set("X-Goog-Content-Length-Range", fmt.Sprintf("0,%d", slipway.MaxUpload))
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return refusal(resp)
}
