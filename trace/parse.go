package trace

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	// maxFilter bounds the text of a filter, in bytes, maxDeep how deep it nests.
	maxFilter = 64 << 10
	maxDeep   = 50
)

// ParseFilter reads a filter; of an empty text it is nil. The error says where
// the text is not understood, and what would be.
func ParseFilter(text string) (*Filter, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if len(text) > maxFilter {
		return nil, slipway.Errorf(slipway.CodeInvalid, "Invalid filter: it has %d bytes; at most %d are read.", len(text), maxFilter)
	}
	p := &parser{text: text}
	c, err := p.condition(0)
	if err == nil && p.skip() < len(text) {
		err = p.failed("nothing more is expected")
	}
	if err != nil {
		return nil, err
	}
	return &Filter{needs: p.needs, holds: c}, nil
}

// parser reads from at on.
type parser struct {
	text  string
	at    int
	needs Fields
}

func (p *parser) failed(format string, args ...any) error {
	return slipway.Errorf(slipway.CodeInvalid, "Invalid filter at character %d, %q: %s.", p.at+1, clip(p.text[p.at:]), fmt.Sprintf(format, args...))
}

// skip passes over space, and returns where it stands.
func (p *parser) skip() int {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	return p.at
}

// takes passes over a character, if it is next.
func (p *parser) takes(c byte) bool {
	if p.skip() < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) want(c byte) error {
	if !p.takes(c) {
		return p.failed("%q is expected", c)
	}
	return nil
}

// word is a name; the caller says what is wrong with it at from.
func (p *parser) word() (name string, from int) {
	from = p.skip()
	for p.at < len(p.text) && (p.text[p.at] == '_' || 'a' <= p.text[p.at] && p.text[p.at] <= 'z') {
		p.at++
	}
	return p.text[from:p.at], from
}

const functions = "and, or, not, eq, neq, gt, gte, lt, lte, in, has, exists or search is expected"

func (p *parser) condition(deep int) (condition, error) {
	if deep > maxDeep {
		return nil, p.failed("it nests more than %d deep", maxDeep)
	}
	name, from := p.word()
	parse := map[string]func() (condition, error){
		"and":    func() (condition, error) { return p.and(deep) },
		"or":     func() (condition, error) { cs, err := p.conditions(deep); return some(cs), err },
		"not":    func() (condition, error) { c, err := p.condition(deep + 1); return not{c}, err },
		"has":    p.has,
		"exists": p.exists,
		"search": p.search,
	}[name]
	if slices.Contains([]string{"eq", "neq", "gt", "gte", "lt", "lte", "in"}, name) {
		parse = func() (condition, error) { return p.comparison(name) }
	}
	if parse == nil {
		p.at = from
		return nil, p.failed(functions)
	}
	if err := p.want('('); err != nil {
		return nil, err
	}
	c, err := parse()
	if err != nil {
		return nil, err
	}
	return c, p.want(')')
}

func (p *parser) conditions(deep int) ([]condition, error) {
	var cs []condition
	for {
		c, err := p.condition(deep + 1)
		if err != nil {
			return nil, err
		}
		if cs = append(cs, c); !p.takes(',') {
			return cs, nil
		}
	}
}

// and puts what is about an entry of the metadata together.
func (p *parser) and(deep int) (condition, error) {
	cs, err := p.conditions(deep)
	var rest all
	var one entry
	for _, c := range cs {
		if e, ok := c.(entry); ok {
			one = append(one, e...)
			continue
		}
		rest = append(rest, c)
	}
	if one != nil {
		rest = append(rest, one)
	}
	return rest, err
}

func (p *parser) comparison(op string) (condition, error) {
	f, err := p.field()
	if err != nil {
		return nil, err
	}
	c := comparison{field: f, op: op}
	if op == "in" {
		c.values, err = p.list(f)
	} else {
		var v literal
		v, err = p.value(f, op)
		c.values = []literal{v}
	}
	if f.of == nil {
		return entry{c}, err
	}
	return c, err
}

func (p *parser) field() (*field, error) {
	name, from := p.word()
	f := fields[name]
	if f == nil {
		p.at = from
		return nil, p.failed("a field is expected, one of %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
	}
	p.needs |= f.needs
	return f, p.want(',')
}

func (p *parser) list(f *field) ([]literal, error) {
	if err := p.want('['); err != nil {
		return nil, err
	}
	var values []literal
	for !p.takes(']') {
		if len(values) > 0 {
			if err := p.want(','); err != nil {
				return nil, err
			}
		}
		v, err := p.value(f, "in")
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// value reads one that a field is compared with.
func (p *parser) value(f *field, op string) (literal, error) {
	from := p.skip()
	v, err := p.literal()
	if err != nil {
		return v, err
	}
	if v.kind == isNull && (op == "eq" || op == "neq") {
		return v, nil
	}
	if c, ok := v.as(f); ok {
		return c, nil
	}
	p.at = from
	return v, p.failed("%s is compared with %s", f.name, map[kind]string{
		isText: "a text", isNumber: `seconds, like 2.5 or "2.5s"`, isTime: `a time, like "2026-03-01T12:00:00Z"`, isTruth: "true or false",
	}[f.kind])
}

// as reads a value as one of a field's kind.
func (v literal) as(f *field) (literal, bool) {
	switch {
	case f.kind == isTime && v.kind == isText:
		at, err := ParseTime(v.text)
		return literal{kind: isTime, at: at}, err == nil
	case f.kind == isNumber && v.kind == isText:
		d, err := time.ParseDuration(v.text)
		return literal{kind: isNumber, number: d.Seconds()}, err == nil
	case f.name == metadataValue && v.kind == isTruth:
		return literal{kind: isText, text: strconv.FormatBool(v.number == 1)}, true
	case f.name == metadataValue && v.kind == isNumber:
		return literal{kind: isText, text: v.text}, true
	case strings.HasSuffix(f.name, "id") && f.kind == isText && v.kind == isText:
		if id, err := ParseID(v.text); err == nil {
			v.text = id.String()
		}
	}
	return v, v.kind == f.kind
}

// literal reads a text in quotes of either kind, a number, null or a truth.
func (p *parser) literal() (literal, error) {
	from := p.skip()
	if from < len(p.text) && (p.text[from] == '"' || p.text[from] == '\'') {
		return p.quoted()
	}
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n,)]", p.text[p.at]) < 0 {
		p.at++
	}
	switch word := p.text[from:p.at]; strings.ToLower(word) {
	case "null", "none":
		return literal{}, nil
	case "true", "false":
		return truth(strings.EqualFold(word, "true")), nil
	default:
		n, err := strconv.ParseFloat(word, 64)
		if err == nil {
			return literal{kind: isNumber, number: n, text: word}, nil
		}
	}
	p.at = from
	return literal{}, p.failed("a text in quotes, a number, true, false or null is expected")
}

// quoted reads a text with JSON's escapes, in which single quotes may be escaped
// too.
func (p *parser) quoted() (literal, error) {
	from, quote := p.at, p.text[p.at]
	text := []byte{'"'}
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == quote:
			p.at++
			v := literal{kind: isText}
			if err := json.Unmarshal(append(text, '"'), &v.text); err == nil {
				v.text = clean(v.text)
				return v, nil
			}
			p.at = from
			return v, p.failed("its escapes are not those of JSON")
		case c == '\\' && p.at+1 < len(p.text):
			if p.at++; p.text[p.at] == '\'' {
				text = append(text, '\'')
				continue
			}
			text = append(text, c, p.text[p.at])
		case c == '"':
			text = append(text, '\\', '"')
		case c < ' ':
			text = fmt.Appendf(text, `\u%04x`, c)
		default:
			text = append(text, c)
		}
	}
	p.at = from
	return literal{}, p.failed("its closing quote is missing")
}
