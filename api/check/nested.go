package check

import (
	"fmt"
	"strconv"
)

// optional takes null too.
type optional struct{ inner checker }

func (c optional) takes(v *value) bool { return v.kind == kindNull || c.inner.takes(v) }
func (c optional) label() string       { return "nullable[" + c.inner.label() + "]" }

func (c optional) check(w *walk, v *value) {
	if v.kind == kindNull {
		w.out = append(w.out, "null"...)
		return
	}
	c.inner.check(w, v)
}

// union takes what any of its members takes: first without conversion, then with, from left to right.
type union []checker

func (c union) label() string { return "union" }

func (c union) takes(v *value) bool {
	for _, option := range c {
		if option.takes(v) {
			return true
		}
	}
	return false
}

func (c union) check(w *walk, v *value) {
	start, faults := len(w.out), len(w.details)
	for pass := range 2 {
		for _, option := range c {
			if pass == 0 && !option.takes(v) {
				continue
			}
			w.in(at(option.label()))
			before := len(w.details)
			option.check(w, v)
			w.leave()
			if len(w.details) == before {
				w.details = w.details[:faults]
				return
			}
			w.out = w.out[:start]
		}
		if pass == 0 {
			w.details = w.details[:faults]
		}
	}
}

// list takes lists, of bounded length if max is not negative.
type list struct {
	item     checker
	min, max int
}

func (c list) takes(v *value) bool { return v.kind == kindList }
func (c list) label() string       { return "list[" + c.item.label() + "]" }

func (c list) check(w *walk, v *value) {
	if v.kind != kindList {
		w.plainFault("list_type", v)
		return
	}
	if c.max >= 0 && len(v.items) > c.max {
		c.lengthFault(w, v, "too_long", "most", "max_length", c.max)
		return
	}
	before := len(w.details)
	w.out = append(w.out, '[')
	for i := range v.items {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.in(nth(i))
		c.item.check(w, &v.items[i])
		w.leave()
	}
	w.out = append(w.out, ']')
	if len(v.items) < c.min && len(w.details) == before {
		c.lengthFault(w, v, "too_short", "least", "min_length", c.min)
	}
}

func (c list) lengthFault(w *walk, v *value, kind, word, key string, bound int) {
	w.fault(kind, fmt.Sprintf("List should have at %s %s after validation, not %d", word, count(bound, "item"), len(v.items)), v,
		ctx("field_type", `"List"`, key, strconv.Itoa(bound), "actual_length", strconv.Itoa(len(v.items))))
}

// mapping takes dicts with any keys.
type mapping struct{ item checker }

func (c mapping) takes(v *value) bool { return v.kind == kindDict }
func (c mapping) label() string       { return "dict[str," + c.item.label() + "]" }

func (c mapping) check(w *walk, v *value) {
	if v.kind != kindDict {
		w.plainFault("dict_type", v)
		return
	}
	w.out = append(w.out, '{')
	for i := range v.members {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		m := &v.members[i]
		w.out = append(printText(w.out, m.key), ':')
		w.in(at(m.key))
		c.item.check(w, &m.val)
		w.leave()
	}
	w.out = append(w.out, '}')
}

// model takes dicts with known keys, and drops the others.
type model struct {
	name   string
	fields []field
	index  map[string]int
}

type field struct {
	name     string
	required bool
	checker  checker
}

func (c *model) takes(v *value) bool { return v.kind == kindDict }
func (c *model) label() string       { return c.name }

func (c *model) check(w *walk, v *value) {
	if v.kind != kindDict {
		w.plainFault("model_attributes_type", v)
		return
	}
	base := c.place(w, v)
	var echo []byte
	open := byte('{')
	for i := range c.fields {
		f := &c.fields[i]
		slot := w.slots[base+i]
		if slot >= 0 {
			w.out = append(printText(append(w.out, open), f.name), ':')
			open = ','
			w.in(at(f.name))
			f.checker.check(w, &v.members[slot].val)
			w.leave()
		} else if f.required {
			if echo == nil {
				echo = v.print(nil)
			}
			w.details = append(w.details, missing(echo, append(w.place(), f.name)...))
		}
	}
	w.slots = w.slots[:base]
	if open == '{' {
		w.out = append(w.out, '{')
	}
	w.out = append(w.out, '}')
}

// place notes where each field's value lies among the members, from the returned base on in w.slots.
func (c *model) place(w *walk, v *value) int {
	base := len(w.slots)
	for range c.fields {
		w.slots = append(w.slots, -1)
	}
	for i := range v.members {
		if at, known := c.index[v.members[i].key]; known {
			w.slots[base+at] = int32(i)
		}
	}
	return base
}
