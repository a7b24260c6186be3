package daemon

import (
	"os"
	"runtime/debug"
)

// garbage is how much of it may be there when it is collected, in hundredths of what
// is in use. While it is collected all processors are busy, for some milliseconds with
// a thousand deployments, and every request waits: so that is done half as often as
// Go does by itself. In use are some ten MB.
const garbage = 200

// CollectSeldom sets how often a server's process collects its garbage, unless its
// environment says so (GOGC).
func CollectSeldom() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
}
