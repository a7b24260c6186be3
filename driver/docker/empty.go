package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/engine"
)

// Labels of an empty image: whose it is, and which deployment's keeper it is for. A
// container has those of its image, so they are none that tell what a container is.
const (
	labelEmpty   = "slipway.empty"
	labelEmptyOf = "slipway.empty.deployment"
)

// emptyImage has the engine hold a new image without name in which there is
// nothing, and returns its id. It goes with the container that is made of it; what
// a death left before there was one goes with the deployment.
func (d *Driver) emptyImage(ctx context.Context, of slipway.DeploymentID) (id string, err error) {
	var content bytes.Buffer
	if err := tar.NewWriter(&content).Close(); err != nil {
		return "", err
	}
	said, err := d.Engine.ImageImport(ctx, client.ImageImportSource{Source: &content, SourceName: "-"}, "", client.ImageImportOptions{
		Changes: []string{fmt.Sprintf("LABEL %s=%s %s=%s", labelEmpty, d.Owner, labelEmptyOf, of)},
	})
	if err != nil {
		return "", fmt.Errorf("make an empty image: %w", d.Engine.Explain(err))
	}
	defer said.Close()
	for lines := json.NewDecoder(said); ; {
		var line struct{ Status, Error string }
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF):
			return "", errors.New("make an empty image: the engine does not name it")
		case err != nil:
			return "", fmt.Errorf("make an empty image: %w", err)
		case line.Error != "":
			return "", fmt.Errorf("make an empty image: %s", line.Error)
		case strings.HasPrefix(line.Status, "sha256:"):
			_, _ = io.Copy(io.Discard, said)
			return line.Status, nil
		}
	}
}

// emptyImages lists those of a deployment, of all if it is "".
func (d *Driver) emptyImages(ctx context.Context, id slipway.DeploymentID) ([]image.Summary, error) {
	of := make(client.Filters).Add("label", labelEmpty+"="+d.Owner)
	if id != "" {
		of.Add("label", labelEmptyOf+"="+string(id))
	}
	found, err := d.Engine.ImageList(ctx, client.ImageListOptions{Filters: of})
	return found.Items, err
}

// removeEmptyImages is for a deployment without a keeper.
func (d *Driver) removeEmptyImages(ctx context.Context, id slipway.DeploymentID) error {
	images, err := d.emptyImages(ctx, id)
	for _, i := range images {
		if _, failed := d.Engine.ImageRemove(ctx, i.ID, client.ImageRemoveOptions{}); failed != nil && !engine.NotFound(failed) {
			err = errors.Join(err, fmt.Errorf("remove an empty image: %w", failed))
		}
	}
	return d.Engine.Explain(err)
}
