// Package ids checks what is to name folders and containers.
package ids

import (
	"fmt"
	"regexp"

	"github.com/slipwayhq/slipway"
)

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// Check refuses what must not become a name.
func Check(d slipway.DeploymentID, i slipway.InstanceID) error {
	if !uuid.MatchString(string(i)) {
		return fmt.Errorf("bad instance id %q", i)
	}
	return CheckDeployment(d)
}

// CheckDeployment refuses what must not become a name.
func CheckDeployment(d slipway.DeploymentID) error {
	if !uuid.MatchString(string(d)) {
		return fmt.Errorf("bad deployment id %q", d)
	}
	return nil
}
