package image

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// trace follows the steps of a build by BuildKit.
type trace struct {
	said  *transcript
	steps map[string]*vertex // by digest
	on    string             // digest of the step whose lines come
}

// vertex is one step.
type vertex struct {
	name     string
	began    bool
	reported bool // its end was
	lines    transcript
}

func newTrace(said *transcript) *trace { return &trace{said: said, steps: map[string]*vertex{}} }

// Fields of BuildKit's StatusResponse, Vertex and VertexLog.
const (
	statusVertex, statusLog                               = 1, 3
	vertexDigest, vertexName, vertexCached, vertexStarted = 1, 3, 4, 5
	vertexCompleted, vertexError                          = 6, 7
	logVertex, logMessage                                 = 1, 4
)

func (t *trace) add(aux json.RawMessage) error {
	message, err := decoded(aux)
	if err != nil {
		return fmt.Errorf("read what BuildKit says: %w", err)
	}
	return fields(message, func(number int, _ uint64, bytes []byte) error {
		switch number {
		case statusVertex:
			return t.vertex(bytes)
		case statusLog:
			return t.log(bytes)
		}
		return nil
	})
}

func (t *trace) vertex(message []byte) error {
	var digest, name, failed string
	var cached, began, ended bool
	err := fields(message, func(number int, integer uint64, bytes []byte) error {
		switch number {
		case vertexDigest:
			digest = string(bytes)
		case vertexName:
			name = string(bytes)
		case vertexCached:
			cached = integer != 0
		case vertexStarted:
			began = true
		case vertexCompleted:
			ended = true
		case vertexError:
			failed = string(bytes)
		}
		return nil
	})
	if err != nil {
		return err
	}
	v := t.steps[digest]
	if v == nil {
		v = &vertex{name: name}
		t.steps[digest] = v
	}
	t.show(digest, v, cached, began || ended, failed)
	return nil
}

// show says that a step begins, or that its result was there; what BuildKit does
// for itself is of no interest.
func (t *trace) show(digest string, v *vertex, cached, began bool, failed string) {
	if strings.HasPrefix(v.name, "[internal]") || strings.HasPrefix(v.name, "copy /context") {
		return
	}
	if began && !v.began {
		v.began = true
		mark := ""
		if cached {
			mark = " (unchanged)"
		}
		t.on = digest
		t.said.begin(v.name, v.name+mark)
	}
	if failed != "" && !v.reported {
		v.reported = true
		t.turnTo(digest, v)
	}
}

// turnTo makes a step the one whose lines are remembered: steps overlap.
func (t *trace) turnTo(digest string, v *vertex) {
	if t.on == digest {
		return
	}
	t.on = digest
	t.said.flush()
	t.said.step, t.said.last = v.name, v.lines.last
}

func (t *trace) log(message []byte) error {
	var digest, text string
	err := fields(message, func(number int, _ uint64, bytes []byte) error {
		switch number {
		case logVertex:
			digest = string(bytes)
		case logMessage:
			text = string(bytes)
		}
		return nil
	})
	if v := t.steps[digest]; v != nil && err == nil {
		t.turnTo(digest, v)
		t.said.print(text)
		v.lines.last = t.said.last
	}
	return err
}

// decoded is what BuildKit's messages hold: a protocol buffer.
func decoded(aux json.RawMessage) ([]byte, error) {
	var text string
	if err := json.Unmarshal(aux, &text); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(text)
}
