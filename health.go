package slipway

// Served is an instance that serves, as it is looked after meanwhile.
type Served struct {
	Instance InstanceID
	Attempt  int
	Route    Route  // to this instance alone
	Probe    string // path that answers 200 while it is well
}
