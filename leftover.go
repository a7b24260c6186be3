package slipway

import "time"

// Leftover is a thing that bears this installation's mark, and of which the
// store knows nothing: a death, a lost folder or a restored database left it.
type Leftover struct {
	Thing
	FoundAt time.Time // when it was first seen that nobody knows of it
	Kept    string    // why it is not removed yet
}
