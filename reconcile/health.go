package reconcile

import (
	"fmt"

	"github.com/slipwayhq/slipway"
)

// healthOf says how a revision does that has these instances: as the one does
// that has crashed most often and has not come back.
func healthOf(all []slipway.Instance) slipway.Health {
	var worst slipway.Instance
	serving := 0
	for _, i := range all {
		switch {
		case i.State == slipway.InstanceServing:
			serving++
		case i.Exit != nil && i.Crashes > worst.Crashes:
			worst = i
		}
	}
	if worst.Crashes == 0 {
		return slipway.Health{State: slipway.Healthy}
	}
	h := slipway.Health{State: slipway.Restarts}
	if worst.Crashes >= crashLoop {
		h.State = slipway.Unhealthy
	}
	h.Reason = fmt.Sprintf("The agent server %s (%d in a row). %s", describe(worst.Exit), worst.Crashes, lastWords(worst.Exit))
	if serving > 0 {
		h.Reason = fmt.Sprintf("%d of %d replicas serve. %s", serving, len(all), h.Reason)
	}
	return h
}
