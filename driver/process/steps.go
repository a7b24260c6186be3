package process

// Points between two effects. The driver may die at any of them, and anywhere
// between.
const (
	StepApply         = "apply: begun"
	StepFolders       = "apply: folders made"
	StepIntended      = "apply: intent written"
	StepStarted       = "apply: started, not recorded"
	StepRecorded      = "apply: recorded"
	StepStateWritten  = "state: written, not in place"
	StepStopRecorded  = "stop: recorded, not signalled"
	StepStopSignalled = "stop: signalled"
	StepStopKilled    = "stop: killed"
	StepExitNoticed   = "exit: noticed"
	StepExitSwept     = "exit: stragglers gone"
	StepExitReaped    = "exit: reaped, not recorded"
	StepExitRecorded  = "exit: recorded"
	StepDelete        = "delete: begun"
	StepDeleted       = "delete: folder gone"
	StepPurged        = "purge: set aside, not removed"

	StepSpare = "spare: stands by"

	StepSnapshotCopied = "snapshot: copied, not in place"
	StepRestoreCopied  = "restore: copied, not in place"
	StepRestored       = "restore: in place, the other not removed"
	StepDiscarded      = "discard: set aside, not removed"
)

// Steps lists the points in the order of an instance's life.
func Steps() []string {
	return []string{
		StepSpare, StepApply, StepFolders, StepStateWritten, StepIntended, StepStarted, StepRecorded,
		StepStopRecorded, StepStopSignalled, StepStopKilled,
		StepExitNoticed, StepExitSwept, StepExitReaped, StepExitRecorded,
		StepDelete, StepDeleted, StepPurged,
		StepSnapshotCopied, StepRestoreCopied, StepRestored, StepDiscarded,
	}
}

// Option changes how a driver works.
type Option func(*Driver)

// OnStep is called at each point. Tests end the process there.
func OnStep(at func(step string)) Option {
	return func(d *Driver) { d.at = at }
}
