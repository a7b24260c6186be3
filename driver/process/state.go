package process

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/durable"
)

// phase is how far an attempt came, as it is written down.
type phase string

const (
	starting phase = "starting" // may have been started, see adopt
	running  phase = "running"  // its process is recorded
	exited   phase = "exited"
)

// state is what state.json holds: enough to recognise a process, and nothing
// secret.
type state struct {
	Attempt int    `json:"attempt"`
	Phase   phase  `json:"phase"`
	Port    int    `json:"port"`
	Socket  bool   `json:"socket,omitempty"` // it listens there, not at the port
	Keeps   bool   `json:"keeps,omitempty"`  // it has a folder of its own, and no state
	Boot    string `json:"boot,omitempty"`
	PID     int    `json:"pid,omitempty"`
	Start   uint64 `json:"start,omitempty"` // ticks after boot
	Offset  int64  `json:"offset"`          // where the attempt's output begins
	// MemoryMB and DiskMB are limits of the attempt.
	MemoryMB int       `json:"memory_mb,omitempty"`
	DiskMB   int       `json:"disk_mb,omitempty"`
	TermAt   time.Time `json:"term_at,omitzero"`      // when it was asked to end
	Unsent   bool      `json:"term_unsent,omitempty"` // it may not have been: that is not known yet
	Exit     *exit     `json:"exit,omitempty"`
}

type exit struct {
	Code   int       `json:"code"`
	Signal string    `json:"signal,omitempty"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`

	OutOfMemory bool   `json:"out_of_memory,omitempty"`
	OutOfDisk   bool   `json:"out_of_disk,omitempty"`
	Sick        string `json:"-"` // we alone know
}

func (s state) observedExit() *slipway.Exit {
	if s.Exit == nil {
		return nil
	}
	e := slipway.Exit(*s.Exit)
	return &e
}

// loadState reads the state of an instance. It is zero if there is none or it
// can not be read as one: then only a process with the marker counts.
func loadState(folder string) (state, error) {
	text, err := os.ReadFile(filepath.Join(folder, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	var s state
	if err == nil && json.Unmarshal(text, &s) != nil {
		return state{}, nil
	}
	return s, err
}

// saveState replaces the state of an instance: after a death of the server the
// old or the new one is there, whole. Only an end that nobody asked for waits for
// the disk: how it came is told by nothing else. The rest is for the death of a
// server: with the machine the process dies too, and a record that is lost, or
// torn and so not readable, says what is true then: it does not run.
func saveState(folder string, s state, at func(string)) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	next := filepath.Join(folder, stateFile+".next")
	if err := writeNew(next, text, s.durable()); err != nil {
		return err
	}
	at(StepStateWritten)
	err = os.Rename(next, filepath.Join(folder, stateFile))
	if err != nil || !s.durable() {
		return err
	}
	return durable.Sync(folder)
}

func (s state) durable() bool { return s.Phase == exited && s.TermAt.IsZero() }

func writeNew(path string, text []byte, durable bool) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && durable {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
