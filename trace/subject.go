package trace

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// subject is a run that conditions look at; what takes reading is read once.
type subject struct {
	*Run
	read    bool
	entries map[string]json.RawMessage
	text    []string // lower case; nil if it was not needed yet
}

// metadata are the entries of extra's metadata.
func (s *subject) metadata() map[string]json.RawMessage {
	if !s.read {
		s.read = true
		var extra struct{ Metadata map[string]json.RawMessage }
		if json.Unmarshal(s.Extra.Inline, &extra) == nil { // what is no object has none
			s.entries = extra.Metadata
		}
	}
	return s.entries
}

// threadKeys are those by which SDKs name a run's thread.
var threadKeys = [...]string{"session_id", "thread_id", "conversation_id"}

func (s *subject) thread() string {
	for _, key := range threadKeys {
		if v := plain(s.metadata()[key]); v != "" {
			return v
		}
	}
	return ""
}

// plain is a JSON value as people write it: a text without its quotes.
func plain(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	return string(bytes.TrimSpace(v))
}

type tagged string

func (t tagged) holds(s *subject) bool { return slices.Contains(s.Tags, string(t)) }

func (t tagged) narrow(q *Query) {
	if q.Tag == "" {
		q.Tag = string(t)
	}
}

// described holds where the metadata has all of these entries.
type described map[string]any

func (d described) holds(s *subject) bool {
	for key, want := range d {
		var is any
		v, ok := s.metadata()[key]
		if !ok || json.Unmarshal(v, &is) != nil || !reflect.DeepEqual(is, want) {
			return false
		}
	}
	return true
}
func (described) narrow(*Query) {}

// keyed holds where the metadata has an entry of that key.
type keyed string

func (k keyed) holds(s *subject) bool { _, ok := s.metadata()[string(k)]; return ok }
func (keyed) narrow(*Query)           {}

// told holds where the run tells all of these words, in lower case.
type told []string

// find makes the condition of a text that is looked for.
func find(text string) told { return strings.Fields(strings.ToLower(text)) }

func (t told) holds(s *subject) bool {
	if s.text == nil {
		s.text = []string{strings.ToLower(s.Name), strings.ToLower(s.Error), legible(s.Inputs), legible(s.Outputs)}
	}
	for _, word := range t {
		if !slices.ContainsFunc(s.text, func(text string) bool { return strings.Contains(text, word) }) {
			return false
		}
	}
	return true
}
func (told) narrow(*Query) {}

// legible is JSON in lower case, in which characters are not escaped that need
// not be.
func legible(c Content) string {
	var v any
	if bytes.Contains(c.Inline, []byte(`\u`)) && json.Unmarshal(c.Inline, &v) == nil {
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		if e.Encode(v) == nil {
			return strings.ToLower(out.String())
		}
	}
	return strings.ToLower(string(c.Inline))
}

func (p *parser) has() (condition, error) {
	name, from := p.word()
	if name != "tags" && name != "metadata" {
		p.at = from
		return nil, p.failed("has is of tags or metadata")
	}
	v, at, err := p.second()
	if err != nil || name == "tags" {
		return tagged(v), err
	}
	p.needs |= FieldExtra
	var d described
	if json.Unmarshal([]byte(v), &d) != nil || d == nil {
		p.at = at
		return nil, p.failed(`a text with a JSON object is expected, like '{"key": "value"}'`)
	}
	return d, nil
}

func (p *parser) exists() (condition, error) {
	name, from := p.word()
	if name != "metadata" {
		p.at = from
		return nil, p.failed("exists is of metadata")
	}
	p.needs |= FieldExtra
	v, _, err := p.second()
	return keyed(v), err
}

func (p *parser) search() (condition, error) {
	p.needs |= searched
	v, _, err := p.quotedText()
	return find(v), err
}

// second reads a comma and a text.
func (p *parser) second() (text string, at int, err error) {
	if err := p.want(','); err != nil {
		return "", 0, err
	}
	return p.quotedText()
}

func (p *parser) quotedText() (text string, at int, err error) {
	at = p.skip()
	v, err := p.literal()
	if err == nil && v.kind != isText {
		p.at = at
		err = p.failed("a text in quotes is expected")
	}
	return v.text, at, err
}
