package check

import (
	"fmt"
	"strings"
)

// Compile prepares the requests of every operation in an OpenAPI 3.1 document.
func Compile(doc []byte) (*Set, error) {
	root, bad := read(doc)
	if bad != nil {
		return nil, fmt.Errorf("check: the document is not JSON: %s at %d", bad.msg, bad.at)
	}
	components := root.get("components")
	c := &compiler{schemas: components.get("schemas"), parameters: components.get("parameters"), models: map[string]checker{}}
	set := &Set{byID: map[string]*Operation{}, byRoute: map[string]*Operation{}}
	for _, path := range root.get("paths").members {
		for _, method := range path.val.members {
			route := strings.ToUpper(method.key) + " " + path.key
			op, err := c.operation(&method.val)
			if err != nil {
				return nil, fmt.Errorf("check: %s: %w", route, err)
			}
			set.routes = append(set.routes, route)
			set.byID[method.val.get("operationId").text] = op
			set.byRoute[route] = op
		}
	}
	return set, nil
}

// compiler turns schemas to checkers, each named one once.
type compiler struct {
	schemas, parameters *value
	models              map[string]checker
}

func (c *compiler) operation(op *value) (*Operation, error) {
	out := &Operation{extensions: extensions(op)}
	for i := range op.get("parameters").items {
		p, err := c.parameter(c.resolve(&op.get("parameters").items[i]))
		if err != nil {
			return nil, err
		}
		switch p.in {
		case "path":
			out.path = append(out.path, p)
		case "query":
			out.query = append(out.query, p)
		case "header":
			out.header = append(out.header, p)
		default:
			return nil, fmt.Errorf("parameter %q: in %q is not supported", p.name, p.in)
		}
	}
	body := op.get("requestBody")
	if body.kind == kindNull {
		return out, nil
	}
	var err error
	out.bodyRequired = body.get("required").yes
	out.body, err = c.schema(body.get("content").get("application/json").get("schema"))
	return out, err
}

func extensions(op *value) map[string]string {
	out := map[string]string{}
	for i := range op.members {
		if m := &op.members[i]; strings.HasPrefix(m.key, "x-") && m.val.kind == kindText {
			out[m.key] = m.val.text
		}
	}
	return out
}

// resolve returns a parameter, or the shared one that it refers to.
func (c *compiler) resolve(v *value) *value {
	if ref := v.get("$ref").text; ref != "" {
		return c.parameters.get(strings.TrimPrefix(ref, "#/components/parameters/"))
	}
	return v
}

func (c *compiler) parameter(v *value) (parameter, error) {
	p := parameter{name: v.get("name").text, in: v.get("in").text, required: v.get("required").yes}
	var err error
	if p.checker, err = c.schema(v.get("schema")); err != nil {
		return p, fmt.Errorf("parameter %q: %w", p.name, err)
	}
	inner := p.checker
	if o, is := inner.(optional); is {
		inner = o.inner
	}
	_, p.many = inner.(list)
	return p, nil
}

const schemaPrefix = "#/components/schemas/"

func (c *compiler) schema(v *value) (checker, error) {
	if ref := v.get("$ref").text; ref != "" {
		return c.named(strings.TrimPrefix(ref, schemaPrefix))
	}
	return c.inline(v, "")
}

// named compiles a component once; the placeholder serves schemas that contain themselves.
func (c *compiler) named(name string) (checker, error) {
	if done, ok := c.models[name]; ok {
		return done, nil
	}
	v := c.schemas.get(name)
	if v.kind != kindDict {
		return nil, fmt.Errorf("schema %q is not in the document", name)
	}
	if v.get("properties").kind != kindDict {
		return c.inline(v, name)
	}
	m := &model{name: name, index: map[string]int{}}
	c.models[name] = m
	if err := c.fill(m, v); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

func (c *compiler) inline(v *value, name string) (checker, error) {
	if err := onlyKnown(v); err != nil {
		return nil, err
	}
	if options := v.get("anyOf").items; options != nil {
		return c.anyOf(options)
	}
	if constant := v.get("const"); constant.kind == kindText {
		return newLiteral([]string{constant.text}, nil), nil
	}
	switch kind := v.get("type").text; kind {
	case "string":
		return stringOf(v)
	case "boolean":
		return boolean{}, nil
	case "integer":
		return integer{boundsOf(v)}, nil
	case "number":
		return number{boundsOf(v)}, nil
	case "array":
		item, err := c.schema(v.get("items"))
		return list{item, v.get("minItems").whole(0), v.get("maxItems").whole(-1)}, err
	case "object":
		return c.object(v, name)
	case "":
		return anything{}, nil
	default:
		return nil, fmt.Errorf("type %q is not supported", kind)
	}
}

func (c *compiler) object(v *value, name string) (checker, error) {
	if v.get("properties").kind == kindDict {
		m := &model{name: name, index: map[string]int{}}
		return m, c.fill(m, v)
	}
	extra := v.get("additionalProperties")
	if extra.kind != kindDict {
		return mapping{anything{}}, nil
	}
	item, err := c.schema(extra)
	return mapping{item}, err
}

func (c *compiler) fill(m *model, v *value) error {
	if err := onlyKnown(v); err != nil {
		return err
	}
	required := map[string]bool{}
	for _, name := range v.get("required").items {
		required[name.text] = true
	}
	properties := v.get("properties").members
	for i := range properties {
		name := properties[i].key
		inner, err := c.schema(&properties[i].val)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		m.index[name] = len(m.fields)
		m.fields = append(m.fields, field{name, required[name], inner})
	}
	return nil
}

func (c *compiler) anyOf(options []value) (checker, error) {
	var members union
	null := false
	for i := range options {
		if options[i].get("type").text == "null" {
			null = true
			continue
		}
		inner, err := c.schema(&options[i])
		if err != nil {
			return nil, err
		}
		members = append(members, inner)
	}
	var out checker = members
	if len(members) == 1 {
		out = members[0]
	}
	if null {
		out = optional{out}
	}
	return out, nil
}

func stringOf(v *value) (checker, error) {
	if published := v.get("enum").texts(); len(published) > 0 {
		return newLiteral(published, v.get("x-slipway-accept").texts()), nil
	}
	switch format := v.get("format").text; format {
	case "uuid":
		return uuid{}, nil
	case "date-time":
		return moment{}, nil
	case "":
		return str{v.get("minLength").whole(0), v.get("maxLength").whole(-1)}, nil
	default:
		return nil, fmt.Errorf("format %q is not supported in a request", format)
	}
}

func boundsOf(v *value) bounds {
	b := unbounded
	if low := v.get("minimum"); low.kind != kindNull {
		b.min, _ = asFloat(low)
	}
	if high := v.get("maximum"); high.kind != kindNull {
		b.max, _ = asFloat(high)
	}
	return b
}
