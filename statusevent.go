package slipway

import "time"

// StatusEvent tells those who follow a deployment that a status changed. It is
// written in the transaction of the change.
type StatusEvent struct {
	Deployment DeploymentID
	Sequence   int64 // 1, 2, … within the deployment, without gaps
	Kind       EventKind
	State      DeploymentState // of EventDeployment and EventReset
	Revision   RevisionState   // of EventRevision; of EventReset the newest, if there is one
	At         time.Time
}

// EventKind says what a StatusEvent tells.
type EventKind string

const (
	EventDeployment EventKind = "deployment" // the deployment's state changed
	EventRevision   EventKind = "revision"   // a revision's status changed
	// EventReset is a snapshot, for who has seen nothing yet or has missed
	// events that are not kept any more. It is never stored: its sequence is
	// that of the last event that it includes.
	EventReset EventKind = "reset"
)

// DeploymentState is what events tell of a deployment.
type DeploymentState struct {
	Status DeploymentStatus
	Latest RevisionID
	Active RevisionID
	Health Health
}

// State returns what events tell of the deployment.
func (d Deployment) State() DeploymentState {
	return DeploymentState{Status: d.Status, Latest: d.Latest, Active: d.Active, Health: d.HealthNow()}
}

// RevisionState is what events tell of a revision.
type RevisionState struct {
	ID      RevisionID
	Status  RevisionStatus
	Message string
	Failure *Failure
}

// State returns what events tell of the revision.
func (r Revision) State() RevisionState {
	return RevisionState{ID: r.ID, Status: r.Status, Message: r.Message, Failure: r.Failure}
}
