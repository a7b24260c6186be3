package process

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/slipwayhq/slipway"
)

const (
	lockFile   = "lock"
	stateFile  = "state.json"
	outputFile = "output.log"
	instances  = "instances"
)

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// checkIDs refuses what must not become the name of a folder.
func checkIDs(d slipway.DeploymentID, i slipway.InstanceID) error {
	if !uuid.MatchString(string(i)) {
		return fmt.Errorf("process: bad instance id %q", i)
	}
	return checkDeployment(d)
}

func checkDeployment(d slipway.DeploymentID) error {
	if !uuid.MatchString(string(d)) {
		return fmt.Errorf("process: bad deployment id %q", d)
	}
	return nil
}

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
	ok := checkIDs(id, instance) == nil && d.instanceFolder(id, instance) == folder
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
