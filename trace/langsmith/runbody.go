package langsmith

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// runBody is a run as SDKs write it. What is null is as what is absent.
type runBody struct {
	ID          string          `json:"id"`
	TraceID     string          `json:"trace_id"`
	ParentRunID string          `json:"parent_run_id"`
	DottedOrder string          `json:"dotted_order"`
	Name        string          `json:"name"`
	RunType     string          `json:"run_type"`
	SessionName string          `json:"session_name"`
	SessionID   string          `json:"session_id"`
	Reference   string          `json:"reference_example_id"`
	StartTime   json.RawMessage `json:"start_time"`
	EndTime     json.RawMessage `json:"end_time"`
	Error       json.RawMessage `json:"error"`
	Tags        json.RawMessage `json:"tags"`
	Inputs      json.RawMessage `json:"inputs"`
	Outputs     json.RawMessage `json:"outputs"`
	Extra       json.RawMessage `json:"extra"`
	Events      json.RawMessage `json:"events"`
	Serialized  json.RawMessage `json:"serialized"`
}

// read fills an operation from the JSON of a run. Where the operation has an
// identity, that in the JSON is the same or absent.
func (s *sent) read(text []byte) error {
	var b runBody
	if err := decode(text, &b); err != nil {
		return aboutRun(s.Run.ID, "its JSON is not understood", err)
	}
	if err := s.readIDs(&b); err != nil {
		return err
	}
	run := &s.Run
	run.Order, run.Name, run.Type = trace.Order(b.DottedOrder), b.Name, b.RunType
	s.projectName, s.projectID = b.SessionName, slipway.ProjectID(b.SessionID)
	var err error
	if run.Tags, err = readTags(b.Tags); err != nil {
		return aboutRun(run.ID, "tags", err)
	}
	if run.Start, err = readTime(b.StartTime); err != nil {
		return aboutRun(run.ID, "start_time", err)
	}
	if run.End, err = readTime(b.EndTime); err != nil {
		return aboutRun(run.ID, "end_time", err)
	}
	for _, f := range []struct {
		name string
		text json.RawMessage
	}{{"inputs", b.Inputs}, {"outputs", b.Outputs}, {"extra", b.Extra}, {"events", b.Events}, {"serialized", b.Serialized}, {"error", b.Error}} {
		if len(f.text) == 0 || string(f.text) == "null" {
			continue // a part may have said it already
		}
		if err := s.setField(f.name, trace.Inline(f.text)); err != nil {
			return err
		}
	}
	return nil
}

func (s *sent) readIDs(b *runBody) error {
	id := s.Run.ID
	for _, c := range []struct {
		name, text string
		to         *trace.ID
	}{{"id", b.ID, &id}, {"trace_id", b.TraceID, &s.Run.Trace}, {"parent_run_id", b.ParentRunID, &s.Run.Parent}, {"reference_example_id", b.Reference, &s.Run.Reference}} {
		if c.text == "" {
			continue
		}
		var err error
		if *c.to, err = trace.ParseID(c.text); err != nil {
			return slipway.Errorf(slipway.CodeInvalid, "Run %s: its %s %.100q is no UUID.", id, c.name, c.text)
		}
	}
	if s.Run.ID.IsZero() {
		s.Run.ID = id
	}
	if s.Run.ID != id {
		return slipway.Errorf(slipway.CodeInvalid, "Run %s: the id in its JSON is %s.", s.Run.ID, id)
	}
	return nil
}

// setField sets what may come as a part of its own.
func (s *sent) setField(name string, c trace.Content) error {
	run := &s.Run
	switch name {
	case "inputs":
		run.Inputs = c
	case "outputs":
		run.Outputs = c
	case "extra":
		run.Extra = c
	case "events":
		run.Events = c
	case "serialized":
		run.Serialized = c
	case "error":
		run.Error = errorText(c.Inline)
	default:
		return slipway.Errorf(slipway.CodeInvalid, "Run %s: there is no field %.100q.", run.ID, name)
	}
	return nil
}

// errorText is the text of an error, which is one in JSON as a rule.
func errorText(c []byte) string {
	var text string
	if len(c) == 0 || json.Unmarshal(c, &text) == nil {
		return text
	}
	return string(c)
}

// readTags reads no more of them than are kept; nil for null and for none.
func readTags(text json.RawMessage) ([]string, error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	tags := []string{}
	for one, err := range elementsOf(text) {
		var tag string
		if err == nil {
			err = decode(one, &tag)
		}
		if err != nil {
			return nil, err
		}
		if tags = append(tags, tag); len(tags) == trace.MaxTags {
			break
		}
	}
	return tags, nil
}

// elementsOf yields those of a list one by one: a short text may have very many.
// None and null have none.
func elementsOf(list json.RawMessage) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		if len(list) == 0 || string(list) == "null" {
			return
		}
		d := json.NewDecoder(bytes.NewReader(list))
		if opening, _ := d.Token(); opening != json.Delim('[') {
			yield(nil, slipway.Errorf(slipway.CodeInvalid, "a list is expected"))
			return
		}
		for d.More() {
			var element json.RawMessage
			err := d.Decode(&element)
			if !yield(element, whatIsWrong(err)) || err != nil {
				return
			}
		}
	}
}

// readTime reads a time in text, or in milliseconds since 1970; the zero time for
// null and for none.
func readTime(text json.RawMessage) (time.Time, error) {
	if len(text) == 0 || string(text) == "null" {
		return time.Time{}, nil
	}
	var written string
	if text[0] == '"' && json.Unmarshal(text, &written) == nil {
		return trace.ParseTime(written)
	}
	var ms float64
	if err := json.Unmarshal(text, &ms); err != nil {
		return time.Time{}, slipway.Errorf(slipway.CodeInvalid, "it must be a text or milliseconds since 1970.")
	}
	return trace.Millis(ms)
}

// decode reads JSON whose sender is told what is wrong with it.
func decode(text []byte, into any) error {
	if !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	return whatIsWrong(json.Unmarshal(text, into))
}

// decodeStrictly refuses what it does not know, unless it is null.
func decodeStrictly(text []byte, into any) error {
	var members map[string]json.RawMessage
	if err := decode(text, &members); err != nil {
		return err
	}
	maps.DeleteFunc(members, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	text, err := json.Marshal(members)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err = d.Decode(into)
	if name, ok := strings.CutPrefix(fmt.Sprint(err), "json: unknown field "); ok {
		return slipway.Errorf(slipway.CodeInvalid, "%s is not understood here, and passing over it would find what was not asked for.", name)
	}
	return whatIsWrong(err)
}

// whatIsWrong tells a sender why their JSON could not be read.
func whatIsWrong(err error) error {
	switch wrong := (*json.UnmarshalTypeError)(nil); {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return slipway.Errorf(slipway.CodeInvalid, "%s can not be a %s.", nameOf(wrong), wrong.Value)
	}
	return slipway.Errorf(slipway.CodeInvalid, "%v.", err)
}

func nameOf(wrong *json.UnmarshalTypeError) string {
	if wrong.Field == "" {
		return "it"
	}
	return fmt.Sprintf("'%s'", wrong.Field)
}
