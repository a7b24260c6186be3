package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/jsonstream"
)

// outcome is what the engine said of a build.
type outcome struct {
	image  string // its id, once there is one
	failed *jsonstream.Error
	said   *transcript
}

// traceID marks what BuildKit says of its steps, and imageID what it made.
const (
	traceID = "moby.buildkit.trace"
	imageID = "moby.image.id"
)

// follow reads what the engine says to its end; log gets lines as they come.
func follow(ctx context.Context, answer io.Reader, log io.Writer) (outcome, error) {
	o := outcome{said: &transcript{log: log}}
	trace := newTrace(o.said)
	for messages := json.NewDecoder(answer); ; {
		var m jsonstream.Message
		err := messages.Decode(&m)
		if ctx.Err() != nil {
			return o, context.Cause(ctx)
		}
		if errors.Is(err, io.EOF) {
			o.said.flush()
			return o, nil
		}
		if err != nil {
			return o, fmt.Errorf("read what the engine says of a build: %w", err)
		}
		if err := o.take(m, trace); err != nil {
			return o, err
		}
	}
}

func (o *outcome) take(m jsonstream.Message, trace *trace) error {
	switch {
	case m.Error != nil:
		o.failed = m.Error
	case m.ID == traceID && m.Aux != nil:
		return trace.add(*m.Aux)
	case m.Aux != nil:
		var made struct{ ID string }
		if json.Unmarshal(*m.Aux, &made) == nil && made.ID != "" {
			o.image = made.ID
		}
	case m.Stream != "":
		o.said.classic(m.Stream)
	}
	return nil
}

// exitCode of the command that a build failed in; false if it was none.
func (o *outcome) exitCode() (int, bool) {
	if o.failed.Code != 0 {
		return o.failed.Code, true
	}
	found := exited.FindStringSubmatch(o.failed.Message)
	if found == nil {
		return 0, false
	}
	code, err := strconv.Atoi(found[1])
	return code, err == nil
}

var exited = regexp.MustCompile(`(?:exit code:|non-zero code:) (\d+)`)

// transcript passes lines on and remembers the last of the step that is on.
type transcript struct {
	log  io.Writer
	step string // its instruction
	last []string
	rest string // of a line that has not ended
}

const (
	maxLine   = 16 << 10 // bytes; what is longer is cut
	lastLines = 200      // remembered: package managers say the reason long before the end
)

// begin turns to another step.
func (t *transcript) begin(instruction, line string) {
	t.flush()
	t.step, t.last = instruction, nil
	fmt.Fprintln(t.log, line)
}

// classic takes a piece of what the classic builder says: begins of steps, and
// what commands print, in colours of its own.
func (t *transcript) classic(piece string) {
	if found := classicStep.FindStringSubmatch(piece); found != nil {
		t.begin(found[1], strings.TrimSpace(piece))
		return
	}
	if classicNoise.MatchString(piece) {
		return
	}
	t.print(colours.ReplaceAllString(piece, ""))
}

var (
	classicStep  = regexp.MustCompile(`^Step \d+/\d+ : (.*)`)
	classicNoise = regexp.MustCompile(`^( ---> |Removing intermediate container|Successfully (built|tagged) )`)
	colours      = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")
)

// print takes what a command printed.
func (t *transcript) print(piece string) {
	t.rest += piece
	for {
		line, rest, ended := strings.Cut(t.rest, "\n")
		if !ended && len(line) < maxLine {
			return
		}
		t.rest = rest
		t.line(line)
	}
}

// line passes on a line; what returned to its start counts as it was last.
func (t *transcript) line(line string) {
	line = strings.TrimRight(line, "\r")
	line = line[strings.LastIndexByte(line, '\r')+1:]
	line = strings.ToValidUTF8(line[:min(len(line), maxLine)], "")
	if strings.TrimSpace(line) == "" {
		return
	}
	t.last = append(t.last, line)
	t.last = t.last[max(0, len(t.last)-lastLines):]
	fmt.Fprintln(t.log, line)
}

func (t *transcript) flush() {
	line := t.rest
	t.rest = ""
	t.line(line)
}
