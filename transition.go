package slipway

import "fmt"

// RevisionEvent is what may happen to a revision.
type RevisionEvent string

const (
	Enqueue     RevisionEvent = "enqueue"      // its row is complete
	BeginBuild  RevisionEvent = "begin build"  // its turn has come
	BeginDeploy RevisionEvent = "begin deploy" // its turn has come and there is nothing to build
	StartBuild  RevisionEvent = "start build"  // a data plane builds it
	Build       RevisionEvent = "built"        // its artefact is there
	StartDeploy RevisionEvent = "start deploy" // a data plane starts it
	PassGate    RevisionEvent = "pass gate"    // it answered through the public path
	Fail        RevisionEvent = "fail"
	Skip        RevisionEvent = "skip"      // a newer one overtook it in the queue
	Interrupt   RevisionEvent = "interrupt" // somebody cancelled it
	Lose        RevisionEvent = "lose"      // nobody can say what became of it
)

// revisionTransitions is every change of a revision's status that can happen
// (contract §4). What is not here is an error.
var revisionTransitions = map[RevisionStatus]map[RevisionEvent]RevisionStatus{
	Creating:       {Enqueue: Queued, Fail: CreateFailed, Skip: Skipped, Interrupt: Interrupted},
	Queued:         {BeginBuild: AwaitingBuild, BeginDeploy: AwaitingDeploy, Fail: CreateFailed, Skip: Skipped, Interrupt: Interrupted},
	AwaitingBuild:  {StartBuild: Building, Fail: BuildFailed, Interrupt: Interrupted, Lose: RevisionUnknown},
	Building:       {Build: AwaitingDeploy, Fail: BuildFailed, Interrupt: Interrupted, Lose: RevisionUnknown},
	AwaitingDeploy: {StartDeploy: Deploying, Fail: DeployFailed, Interrupt: Interrupted, Lose: RevisionUnknown},
	Deploying:      {PassGate: Deployed, Fail: DeployFailed, Interrupt: Interrupted, Lose: RevisionUnknown},
}

// After returns the status that follows s when e happens.
func (s RevisionStatus) After(e RevisionEvent) (RevisionStatus, error) {
	if to, ok := revisionTransitions[s][e]; ok {
		return to, nil
	}
	return s, fmt.Errorf("revision: %w: %s in %s", ErrTransition, e, s)
}

// DeploymentEvent is what may happen to a deployment.
type DeploymentEvent string

const (
	Await         DeploymentEvent = "await"          // it needs a database, which is to be made
	Provide       DeploymentEvent = "provide"        // what it needs of databases is there
	Delete        DeploymentEvent = "delete"         // DELETE was answered
	StopServing   DeploymentEvent = "stop serving"   // nothing is left of it on a data plane
	Keep          DeploymentEvent = "keep"           // nothing of it runs any more, and the rest is kept aside
	Restore       DeploymentEvent = "restore"        // what was kept aside is wanted again
	Purge         DeploymentEvent = "purge"          // what was kept aside is to go
	LoseDatabases DeploymentEvent = "lose databases" // nobody can say what became of them
)

var deploymentTransitions = map[DeploymentStatus]map[DeploymentEvent]DeploymentStatus{
	AwaitingDatabase:  {Provide: Ready, Delete: AwaitingDelete, LoseDatabases: DeploymentUnknown},
	Ready:             {Await: AwaitingDatabase, Delete: AwaitingDelete},
	Unused:            {Delete: AwaitingDelete},
	DeploymentUnknown: {Provide: Ready, Delete: AwaitingDelete},
	AwaitingDelete:    {StopServing: AwaitingFinalDelete, Keep: Kept},
	Kept:              {Restore: Ready, Purge: AwaitingDelete},
}

// After returns the status that follows s when e happens.
func (s DeploymentStatus) After(e DeploymentEvent) (DeploymentStatus, error) {
	if to, ok := deploymentTransitions[s][e]; ok {
		return to, nil
	}
	return s, fmt.Errorf("deployment: %w: %s in %s", ErrTransition, e, s)
}

// Turn decides what happens to the waiting revisions of a deployment once none
// is in progress: the newest begins, the others are skipped. Waiting holds
// revisions in any order; begin is "" when there is none.
func Turn(waiting []Revision) (begin RevisionID, skip []RevisionID) {
	newest := -1
	for i, r := range waiting {
		if newest < 0 || r.Number > waiting[newest].Number {
			newest = i
		}
	}
	for i, r := range waiting {
		if i == newest {
			begin = r.ID
		} else {
			skip = append(skip, r.ID)
		}
	}
	return begin, skip
}
