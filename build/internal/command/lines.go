package command

import (
	"bytes"
	"strings"
	"sync"

	"github.com/slipwayhq/slipway/internal/mask"
)

// Truncated is the last line of an output that was too long.
const Truncated = "… the output is too long: the rest is left out"

// splitter cuts a stream into lines and masks them.
type splitter struct {
	mu   sync.Mutex
	line func(string)
	mask *mask.Masker
	rest []byte
	left int64 // bytes that may still be handed over
	said bool  // something since silence was last asked for

	heap  string // line that says that Node's heap is full
	again bool   // a line says that no process can be made just now
}

func (s *splitter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = true
	n := len(p)
	for len(p) > 0 {
		line, after, ended := bytes.Cut(p, []byte("\n"))
		if room := s.most() - len(s.rest); len(line) >= room {
			line, after = line[:room], p[room:]
			s.rest = append(s.rest, line...)
			s.cut()
			p = after
			continue
		}
		s.rest = append(s.rest, line...)
		p = after
		if ended {
			s.flush()
		}
	}
	return n, nil
}

// most is how long a line without an end may become before it is cut: at the
// place of the cut no secret may lie half on either side.
func (s *splitter) most() int { return MaxLine + s.mask.Longest() }

// cut hands over the first part of a line that is too long. What may be the
// beginning of a secret stays.
func (s *splitter) cut() {
	masked := s.mask.String(string(s.rest))
	at := max(1, min(MaxLine, len(masked)-s.mask.Longest()))
	s.rest = append(s.rest[:0], masked[at:]...)
	s.hand(masked[:at])
}

// flush hands over what was collected. A carriage return goes back to the start
// of a line: what counts is what stands there last.
func (s *splitter) flush() {
	line := bytes.TrimRight(s.rest, "\r")
	text := s.mask.String(string(line[bytes.LastIndexByte(line, '\r')+1:]))
	s.rest = s.rest[:0]
	for ; len(text) > MaxLine; text = text[MaxLine:] {
		s.hand(text[:MaxLine])
	}
	s.hand(text)
}

func (s *splitter) hand(line string) {
	s.look(line)
	if len(line) == 0 || s.left <= 0 {
		return
	}
	if s.left -= int64(len(line)) + 1; s.left <= 0 {
		line = Truncated
	}
	s.line(line)
}

// look for what explains an exit code.
func (s *splitter) look(line string) {
	switch {
	case strings.Contains(line, "JavaScript heap out of memory"):
		s.heap = line
	case strings.Contains(line, "EAGAIN"), strings.Contains(line, "Resource temporarily unavailable"),
		strings.Contains(line, "Cannot fork"), strings.Contains(line, "can't start new thread"):
		s.again = true
	}
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
