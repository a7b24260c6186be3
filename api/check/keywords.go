package check

import (
	"fmt"
	"strconv"
	"strings"
)

// keywords are those that are enforced, and those that have nothing to enforce in a request.
var keywords = map[string]bool{
	"type": true, "format": true, "anyOf": true, "enum": true, "const": true, "$ref": true,
	"properties": true, "required": true, "additionalProperties": true, "items": true,
	"minItems": true, "maxItems": true, "minLength": true, "maxLength": true, "minimum": true, "maximum": true,
	"default": true, "title": true, "description": true, "examples": true, "deprecated": true, "include_in_schema": true,
}

func onlyKnown(schema *value) error {
	for i := range schema.members {
		key := schema.members[i].key
		if !keywords[key] && !strings.HasPrefix(key, "x-") {
			return fmt.Errorf("keyword %q is not supported", key)
		}
	}
	return nil
}

var null value

// get returns a member, or null.
func (v *value) get(key string) *value {
	for i := range v.members {
		if v.members[i].key == key {
			return &v.members[i].val
		}
	}
	return &null
}

func (v *value) texts() []string {
	var out []string
	for _, item := range v.items {
		out = append(out, item.text)
	}
	return out
}

func (v *value) whole(absent int) int {
	if n, err := strconv.Atoi(v.text); err == nil && v.kind == kindInt {
		return n
	}
	return absent
}
