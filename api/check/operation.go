package check

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Set holds the compiled operations of one document.
type Set struct {
	byID, byRoute map[string]*Operation
	routes        []string
}

// Routes lists every route in the document's order, as in "GET /v2/things/{id}".
func (s *Set) Routes() []string { return slices.Clone(s.routes) }

// Operation returns the operation with this operationId, nil if there is none.
func (s *Set) Operation(id string) *Operation { return s.byID[id] }

// Route returns the operation of a method and a path template, as in "GET /v2/things/{id}"; nil if there is none.
func (s *Set) Route(route string) *Operation { return s.byRoute[route] }

// Operation checks the parts of one operation's requests.
type Operation struct {
	path, query, header []parameter
	body                checker
	bodyRequired        bool
	extensions          map[string]string
}

type parameter struct {
	name, in string
	required bool
	many     bool
	checker  checker
}

// Extension returns a text that the document attaches to the operation under a key beginning with "x-".
func (o *Operation) Extension(key string) string { return o.extensions[key] }

// TakesBody says whether the operation reads a body at all.
func (o *Operation) TakesBody() bool { return o.body != nil }

// PathNames lists the path parameters in the document's order.
func (o *Operation) PathNames() []string {
	names := make([]string, len(o.path))
	for i, p := range o.path {
		names[i] = p.name
	}
	return names
}

var walks = sync.Pool{New: func() any { return &walk{} }}

// run checks v, and returns either its canonical form or its faults.
func run(c checker, v *value, loc ...step) ([]byte, []Detail) {
	w := walks.Get().(*walk)
	*w = walk{out: w.out[:0], slots: w.slots[:0], loc: append(w.loc[:0], loc...)}
	c.check(w, v)
	out, details := append([]byte(nil), w.out...), w.details
	w.details = nil
	if cap(w.out) < 1<<16 {
		walks.Put(w)
	}
	if details != nil {
		return nil, details
	}
	return out, nil
}

// Body checks a body of JSON. An empty one and null are both a missing body. The canonical form of a body that may be
// missing, and is, is nil.
func (o *Operation) Body(raw []byte) (canonical []byte, details []Detail) {
	if o.body == nil {
		return nil, nil
	}
	var v value
	if len(raw) > 0 {
		var bad *syntaxError
		if v, bad = read(raw); bad != nil {
			return nil, []Detail{invalidJSON(bad)}
		}
	}
	return o.bodyValue(&v)
}

// Text checks a body that its sender did not declare as JSON: it is one text, whatever it holds.
func (o *Operation) Text(raw []byte) (canonical []byte, details []Detail) {
	if o.body == nil {
		return nil, nil
	}
	v := value{}
	if len(raw) > 0 {
		v = text(strings.ToValidUTF8(string(raw), string(utf8.RuneError)))
	}
	return o.bodyValue(&v)
}

func (o *Operation) bodyValue(v *value) ([]byte, []Detail) {
	if v.kind != kindNull {
		return run(o.body, v, at("body"))
	}
	if o.bodyRequired {
		return nil, []Detail{missing([]byte("null"), "body")}
	}
	return nil, nil
}

// Path checks one path parameter, unescaped, and returns its canonical form. A name that the document lacks passes.
func (o *Operation) Path(name, raw string) (canonical string, details []Detail) {
	for i := range o.path {
		if p := &o.path[i]; p.name == name {
			v := text(printable(raw))
			out, details := run(p.checker, &v, at("path"), at(name))
			return bare(out), details
		}
	}
	return raw, nil
}

// Query checks the query and returns its canonical form, without the parameters that the document lacks. Of a
// parameter that comes more than once and is not a list, the last counts.
func (o *Operation) Query(raw url.Values) (canonical url.Values, details []Detail) {
	canonical = url.Values{}
	for i := range o.query {
		p := &o.query[i]
		values := raw[p.name]
		if len(values) == 0 {
			if p.required {
				details = append(details, missing([]byte("null"), "query", p.name))
			}
			continue
		}
		v := p.value(values)
		out, faults := run(p.checker, &v, at("query"), at(p.name))
		details = append(details, faults...)
		if faults == nil {
			canonical[p.name] = p.canonical(out)
		}
	}
	return canonical, details
}

// Header checks the headers that the document names, and returns their canonical form. One that comes more than once
// is one list. The place of a fault has the name in lower case.
func (o *Operation) Header(raw http.Header) (canonical map[string]string, details []Detail) {
	canonical = map[string]string{}
	for i := range o.header {
		p := &o.header[i]
		name := strings.ToLower(p.name)
		values := raw.Values(p.name)
		if len(values) == 0 {
			if p.required {
				details = append(details, missing([]byte("null"), "header", name))
			}
			continue
		}
		v := text(printable(strings.Join(values, ", ")))
		out, faults := run(p.checker, &v, at("header"), at(name))
		details = append(details, faults...)
		if faults == nil {
			canonical[p.name] = bare(out)
		}
	}
	return canonical, details
}

// TakesHeader says whether the document names the header for the operation.
func (o *Operation) TakesHeader(name string) bool {
	return slices.ContainsFunc(o.header, func(p parameter) bool { return p.name == name })
}

func (p *parameter) value(raw []string) value {
	if !p.many {
		return text(printable(raw[len(raw)-1]))
	}
	v := value{kind: kindList}
	for _, s := range raw {
		v.items = append(v.items, text(printable(s)))
	}
	return v
}

func (p *parameter) canonical(out []byte) []string {
	if !p.many {
		return []string{bare(out)}
	}
	v, _ := read(out)
	names := make([]string, len(v.items))
	for i := range v.items {
		names[i] = bare(v.items[i].print(nil))
	}
	return names
}

// printable replaces bytes that are not UTF-8.
func printable(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

// bare is a canonical scalar without the quotes of a text.
func bare(out []byte) string {
	if len(out) == 0 || out[0] != '"' {
		return string(out)
	}
	v, _ := read(out)
	return v.text
}
