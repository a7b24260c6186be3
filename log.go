package slipway

import "time"

// LogKind says what wrote a line.
type LogKind string

const (
	BuildLog  LogKind = "build"
	DeployLog LogKind = "deploy"
)

// LogLine is one line of a build or an agent.
type LogLine struct {
	Deployment DeploymentID
	Revision   RevisionID
	Kind       LogKind
	Origin     string // instance, or the build's run: with Offset it names the line for ever
	Offset     int64  // where the line ends in the output of its origin, bytes
	At         time.Time
	Level      string // DEBUG INFO WARNING ERROR CRITICAL
	Message    string
}

// LogQuery selects lines (contract §6). The zero value of a field selects all.
type LogQuery struct {
	Deployment DeploymentID
	Revision   RevisionID
	Kind       LogKind
	Level      string
	Contains   string
	Run        string    // id of a run: lines that contain it, since agents say it in the message
	Since      time.Time // inclusive
	Until      time.Time // exclusive
	After      int64     // position of the last line seen, in the order asked for
	Newest     bool      // newest first
	Limit      int
}

// StoredLine is a line with its position in the store, which only grows.
type StoredLine struct {
	LogLine
	Position int64
}
