package slipway

import "time"

// Traffic counts the requests to a deployment since the gateway began: it only
// grows.
type Traffic struct {
	Requests uint64                         // that have ended, whatever the answer
	Errors   uint64                         // of those, with a status from 500 on, or cut short while the client was there
	Latency  [len(LatencyBounds) + 1]uint64 // to the first byte; the last is for what took longer
	Took     time.Duration                  // to the first byte, of all together
	Waiting  int                            // held now
	Holds    [len(LatencyBounds) + 1]uint64 // for how long requests were held that are not any more
	Held     time.Duration                  // all together
	Longest  time.Duration                  // that one was held
	InFlight int                            // at an agent now, streams too
	Last     time.Time                      // a request came, zero for never
}

// LatencyBounds are the upper bounds that latencies are counted by.
var LatencyBounds = [...]time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// Sample is what a data plane measured of a deployment over a short while.
type Sample struct {
	Deployment DeploymentID
	At         time.Time
	Over       time.Duration // what Requests, Errors, Latency and Restarts are of
	Replicas   int           // that serve
	UsageKnown bool          // whether the driver tells what the instances use
	CPU        float64       // cores in use, of all instances together
	Memory     int64         // bytes, of all instances together
	Restarts   int
	Requests   uint64
	Errors     uint64
	Latency    [len(LatencyBounds) + 1]uint64
	InFlight   int
	Waiting    int
	LastUse    time.Time // a request came, or a run was seen, zero for never
	RunsKnown  bool      // whether the instances tell of their runs
	Pending    int
	Running    int
	Database   *DatabaseUsage // as it was measured last; nil where there is none, or its server does not tell
	Redis      *RedisUsage    // of its own; nil where there is none, or the driver does not tell
}

// Reading is how the meter of one deployment stands: what it is now, and what has
// been counted since it began.
type Reading struct {
	Deployment Deployment
	Sample     Sample // the last one; zero before the first
	Traffic    Traffic
	CPU        time.Duration // used by all instances together
	RedisCPU   time.Duration // used by its own Redis
	Restarts   uint64
}

// Census counts the deployments of a workspace that have a status, and those of
// them that a data plane works on.
type Census struct {
	Workspace           WorkspaceID
	Status              DeploymentStatus
	Deployments, Leased int
}
