// Package client speaks to a Slipway server, and to any other server of the
// same control plane contract. It is what the command line is made of.
//
// A [Client] is for the control plane: deployments, revisions, logs. An [Agent]
// is for what was deployed: threads and runs. Both may be used by several
// goroutines at once.
//
// A refusal is an [*Error] that reads well as it is. Requests that change
// nothing are sent again a few times when the server is not there or fails;
// those that change something are sent once.
package client
