package reference

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"path"
	"slices"
	"strings"
)

var (
	//go:embed page.html
	layout string
	//go:embed page.css
	style string

	pageTemplate = template.Must(template.New("page").Parse(layout))
)

type page struct {
	Title, Version, Description string
	Style                       template.CSS
	Groups                      []group
	Schemas                     []table
}

type group struct {
	Name, Description, Anchor string
	Operations                []entry
}

// entry is one operation.
type entry struct {
	operation
	Method, Path string
	Parameters   []field
	Body         *table
	Answers      []answer
}

type answer struct {
	Status, Description string
	Type                []word
	Headers             []field
}

// table lists the fields of a schema.
type table struct {
	Name, Description string
	Type              []word // of what has no fields
	Extension         bool
	Fields            []field
}

type field struct {
	Name, In    string
	Type        []word
	Limits      string
	Required    bool
	Extension   bool
	Description string
}

// Render returns the page for an OpenAPI 3.1 document, in UTF-8.
func Render(raw []byte) ([]byte, error) {
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("reference: read document: %w", err)
	}
	p := page{Title: d.Info.Title, Version: d.Info.Version, Description: d.Info.Description, Style: template.CSS(style)}
	for _, tag := range d.Tags {
		p.Groups = append(p.Groups, group{tag.Name, tag.Description, anchor(tag.Name), d.entries(tag.Name)})
	}
	for _, s := range d.Components.Schemas {
		p.Schemas = append(p.Schemas, d.table(s.Key, s.Value))
	}
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("reference: render: %w", err)
	}
	return out.Bytes(), nil
}

// anchor is a name as part of an address.
func anchor(name string) string {
	return "tag-" + strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name)), "-")
}

func (d *document) entries(tag string) (found []entry) {
	for _, methods := range d.Paths {
		for _, m := range methods.Value {
			if slices.Contains(m.Value.Tags, tag) {
				found = append(found, d.entry(methods.Key, m.Key, m.Value))
			}
		}
	}
	return found
}

func (d *document) entry(path, method string, op operation) entry {
	e := entry{operation: op, Method: strings.ToUpper(method), Path: path}
	for _, p := range op.Parameters {
		e.Parameters = append(e.Parameters, d.parameter(p))
	}
	if op.RequestBody != nil {
		for _, m := range op.RequestBody.Content {
			e.Body = d.body(m.Value.Schema)
		}
	}
	for _, r := range op.Responses {
		e.Answers = append(e.Answers, d.answer(r.Key, r.Value))
	}
	return e
}

func (d *document) parameter(p parameter) field {
	if p.Ref != "" {
		p = d.Components.Parameters[path.Base(p.Ref)]
	}
	return field{p.Name, p.In, p.Schema.words(), p.Schema.limits(), p.Required, p.Extension, p.Description}
}

func (d *document) body(s schema) *table {
	name := path.Base(s.Ref)
	found, _ := d.Components.Schemas.find(name)
	t := d.table(name, found)
	return &t
}

func (d *document) answer(status string, r response) answer {
	if r.Ref != "" {
		r = d.Components.Responses[path.Base(r.Ref)]
	}
	a := answer{Status: status, Description: r.Description}
	for _, m := range r.Content {
		a.Type = m.Value.Schema.words()
	}
	for _, h := range r.Headers {
		h.Value.Name = h.Key
		a.Headers = append(a.Headers, d.parameter(h.Value))
	}
	return a
}

func (d *document) table(name string, s schema) table {
	t := table{Name: name, Description: s.Description, Extension: s.Extension}
	if s.Properties == nil {
		t.Type = s.words()
	}
	for _, p := range s.Properties {
		t.Fields = append(t.Fields, field{
			Name: p.Key, Type: p.Value.words(), Limits: p.Value.limits(), Required: slices.Contains(s.Required, p.Key),
			Extension: p.Value.Extension, Description: p.Value.Description,
		})
	}
	return t
}
