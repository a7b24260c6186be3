// Package control is how agents are asked how they stand, and told to begin. An
// agent may listen on a socket; how it is reached is its driver's to know. Each
// request is one line of JSON either way, and nothing is lost with who asks: who
// comes next asks again.
//
//	{"do": "state"}    {"state": "standing by"}
//	{"do": "release"}  {"state": "starting"}
//	{"do": "runs"}     {"pending": 1, "running": 2, "oldest_ms": 30, "workers": 10, "shared": false}
//	{"do": "yielded"}  {"state": "yielded"}, once it has its state closed for good
//	anything else      {"error": "…"}
package control

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/slipwayhq/slipway"
)

// What an agent is asked for.
const (
	State   = "state"
	Release = "release"
	Runs    = "runs"
)

// What an agent calls itself while it has no state open: as long as it waits to be
// released, and once it only has to tidy up before it ends. For the latter it can
// be waited.
const (
	StandingBy = "standing by"
	Yielded    = "yielded"
)

// ErrNobody means that nobody listens: the agent has not loaded, never will, or has
// ended.
var ErrNobody = errors.New("the agent has no control socket")

// longest bounds what an agent may answer.
const longest = 64 << 10

// Answer is what an agent says.
type Answer struct {
	State    string `json:"state"`
	Error    string `json:"error"`
	Pending  int    `json:"pending"`
	Running  int    `json:"running"`
	OldestMS int64  `json:"oldest_ms"`
	Workers  int    `json:"workers"`
	Shared   bool   `json:"shared"`
}

// Runs are those that it was asked for.
func (a Answer) Runs() slipway.Runs {
	return slipway.Runs{
		Pending: a.Pending, Running: a.Running, Workers: a.Workers, Shared: a.Shared,
		Oldest: time.Duration(a.OldestMS) * time.Millisecond,
	}
}

// Ask asks for something and reads the answer. An empty line is that of nobody.
func Ask(w io.Writer, r *bufio.Reader, do string) (a Answer, err error) {
	if _, err := fmt.Fprintf(w, "{\"do\": %q}\n", do); err != nil {
		return a, fmt.Errorf("ask for %s: %w", do, err)
	}
	line, err := readLine(r)
	switch {
	case err == nil && len(bytes.TrimSpace(line)) == 0:
		return a, ErrNobody
	case err == nil:
		err = json.Unmarshal(line, &a)
	}
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	if err != nil {
		err = fmt.Errorf("the answer to %s: %w", do, err)
	}
	return a, err
}

func readLine(r *bufio.Reader) (line []byte, err error) {
	for len(line) < longest {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
	return nil, errors.New("it does not end")
}
