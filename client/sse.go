package client

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"
)

// Event is one server-sent event.
type Event struct {
	Name string // "message" where the server names none
	ID   string // of this event or the last one that had one
	Data json.RawMessage
}

// Events reads server-sent events as they come. An event that the stream breaks
// off within is not yielded. It ends after an error.
func Events(r io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		lines, p := bufio.NewReader(r), eventParser{}
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield(Event{}, err)
				}
				return
			}
			if event, whole := p.take(trimEnd(line)); whole && !yield(event, nil) {
				return
			}
		}
	}
}

func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

// eventParser gathers the lines of an event.
type eventParser struct {
	name, id string
	data     []byte
	any      bool // there was data, be it empty
}

// take takes a line and returns the event that it ends, if it ends one.
func (p *eventParser) take(line []byte) (Event, bool) {
	if len(line) == 0 {
		return p.flush()
	}
	field, value, _ := strings.Cut(string(line), ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "event":
		p.name = value
	case "id":
		p.id = value
	case "data":
		if p.any {
			p.data = append(p.data, '\n')
		}
		p.data, p.any = append(p.data, value...), true
	}
	return Event{}, false // a comment, or a field of no interest here
}

func (p *eventParser) flush() (Event, bool) {
	event, whole := Event{Name: p.name, ID: p.id, Data: p.data}, p.any || p.name != ""
	if event.Name == "" {
		event.Name = "message"
	}
	*p = eventParser{id: p.id}
	return event, whole
}
