package process

import (
	"os"
	"path/filepath"
	"regexp"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/ids"
)

const (
	lockFile   = "lock"
	stateFile  = "state.json"
	outputFile = "output.log"
	socketFile = "http.sock"
	instances  = "instances"
)

func (d *Driver) deploymentFolder(id slipway.DeploymentID) string {
	return filepath.Join(d.root, string(id))
}

func (d *Driver) instanceFolder(id slipway.DeploymentID, i slipway.InstanceID) string {
	return filepath.Join(d.deploymentFolder(id), instances, string(i))
}

// owner reads the ids back from an instance's folder.
func (d *Driver) owner(folder string) (slipway.DeploymentID, slipway.InstanceID, bool) {
	above, i := filepath.Split(folder)
	above = filepath.Dir(filepath.Clean(above))
	id, instance := slipway.DeploymentID(filepath.Base(above)), slipway.InstanceID(i)
	ok := ids.Check(id, instance) == nil && d.instanceFolder(id, instance) == folder
	return id, instance, ok
}

// stored lists the folders of instances that are on disk.
func (d *Driver) stored() ([]string, error) {
	found, err := filepath.Glob(filepath.Join(escapeGlob(d.root), "*", instances, "*"))
	if err != nil {
		return nil, err
	}
	var folders []string
	for _, path := range found {
		entry, err := os.Lstat(path)
		if _, _, ours := d.owner(path); ours && err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
	}
	return folders, nil
}

var globMeta = regexp.MustCompile(`[*?\[\\]`)

func escapeGlob(path string) string { return globMeta.ReplaceAllString(path, `\$0`) }
