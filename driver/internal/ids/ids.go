// Package ids checks what is to name folders and containers.
package ids

import (
	"fmt"

	"github.com/slipwayhq/slipway"
)

// Check refuses what must not become a name.
func Check(d slipway.DeploymentID, i slipway.InstanceID) error {
	if !slipway.IsID(string(i)) {
		return fmt.Errorf("bad instance id %q", i)
	}
	return CheckDeployment(d)
}

// CheckDeployment refuses what must not become a name.
func CheckDeployment(d slipway.DeploymentID) error {
	if !slipway.IsID(string(d)) {
		return fmt.Errorf("bad deployment id %q", d)
	}
	return nil
}
