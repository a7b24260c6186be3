package command

import (
	"bytes"
	"sync"
)

// Truncated is the last line of an output that was too long.
const Truncated = "… the output is too long: the rest is left out"

// splitter cuts a stream into lines.
type splitter struct {
	mu   sync.Mutex
	line func(string)
	rest []byte
	left int  // bytes that may still be handed over
	said bool // something since silence was last asked for
}

func (s *splitter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = true
	n := len(p)
	for len(p) > 0 {
		line, after, ended := bytes.Cut(p, []byte("\n"))
		if room := MaxLine - len(s.rest); len(line) >= room {
			line, after, ended = line[:room], p[room:], true
		}
		s.rest = append(s.rest, line...)
		p = after
		if ended {
			s.flush()
		}
	}
	return n, nil
}

// flush hands over what was collected. A carriage return goes back to the start
// of a line: what counts is what stands there last.
func (s *splitter) flush() {
	line := bytes.TrimRight(s.rest, "\r")
	line = line[bytes.LastIndexByte(line, '\r')+1:]
	s.rest = s.rest[:0]
	if len(line) == 0 || s.left <= 0 {
		return
	}
	if s.left -= len(line) + 1; s.left <= 0 {
		line = []byte(Truncated)
	}
	s.line(string(line))
}

// end hands over a last line without an end.
func (s *splitter) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
}

// ifSilent calls do if nothing was written since it was asked last.
func (s *splitter) ifSilent(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.said {
		do()
	}
	s.said = false
}
