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

	"github.com/moby/moby/client"
)

// emptyImage has the engine hold a new image without name in which there is
// nothing, and returns its id. It goes with the container that is made of it.
func (d *Driver) emptyImage(ctx context.Context) (id string, err error) {
	var content bytes.Buffer
	if err := tar.NewWriter(&content).Close(); err != nil {
		return "", err
	}
	said, err := d.Engine.ImageImport(ctx, client.ImageImportSource{Source: &content, SourceName: "-"}, "", client.ImageImportOptions{})
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
