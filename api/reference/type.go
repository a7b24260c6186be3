package reference

import (
	"path"
	"slices"
	"strings"
)

// word is a part of a type's description; Link names a schema if it is one.
type word struct{ Text, Link string }

// words describe a type.
func (s schema) words() []word {
	switch {
	case s.Ref != "":
		name := path.Base(s.Ref)
		return []word{{name, name}}
	case s.AnyOf != nil:
		return eitherOf(s.AnyOf)
	case s.Const != "":
		return []word{{Text: "always " + s.Const}}
	case s.Enum != nil:
		return []word{{Text: strings.Join(slices.Concat(s.Enum, s.Accept), " | ")}}
	case s.Type == "array" && s.Items != nil:
		return append([]word{{Text: "list of"}}, s.Items.words()...)
	case s.Type == "object" && s.Properties == nil:
		return []word{{Text: "object with any keys"}}
	case s.Type == "":
		return []word{{Text: "anything"}}
	case s.Format != "":
		return []word{{Text: s.Format}}
	default:
		return []word{{Text: s.Type}}
	}
}

func eitherOf(options []schema) []word {
	var out []word
	for i, option := range options {
		if i > 0 {
			out = append(out, word{Text: "or"})
		}
		out = append(out, option.words()...)
	}
	return out
}

// limits describes what a value must keep to beyond its type.
func (s schema) limits() string {
	for _, option := range s.AnyOf {
		if found := option.limits(); found != "" {
			return found
		}
	}
	var out []string
	add := func(min, max, unit string) {
		switch {
		case min != "" && max != "":
			out = append(out, min+" to "+max+unit)
		case min != "":
			out = append(out, "at least "+min+unit)
		case max != "":
			out = append(out, "at most "+max+unit)
		}
	}
	add(string(s.Minimum), string(s.Maximum), "")
	add(string(s.MinLength), string(s.MaxLength), " characters")
	add(string(s.MinItems), string(s.MaxItems), " items")
	if len(s.Default) > 0 {
		out = append(out, "default "+string(s.Default))
	}
	return strings.Join(out, "; ")
}
