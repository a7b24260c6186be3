// Package jsonfile explains what is wrong with a JSON file that a person wrote.
package jsonfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Unmarshal reads a file's content; its errors begin with name:line:column.
func Unmarshal(name string, content []byte, into any) error {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	err := json.Unmarshal(content, into)
	if err == nil {
		return nil
	}
	reason, offset := explain(err)
	line, column := place(content, offset)
	return fmt.Errorf("%s:%d:%d: %s", name, line, column, reason)
}

func explain(err error) (reason string, offset int64) {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return err.Error(), syntax.Offset
	}
	kind, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return err.Error(), 0
	case kind.Field != "":
		return fmt.Sprintf("%q is %s where %s is needed", kind.Field, kind.Value, words(kind)), kind.Offset
	}
	return fmt.Sprintf("%s where %s is needed", kind.Value, words(kind)), kind.Offset
}

func words(e *json.UnmarshalTypeError) string {
	switch kind := e.Type.Kind().String(); kind {
	case "map", "struct":
		return "an object"
	case "slice", "array":
		return "a list"
	default:
		return "a " + kind
	}
}

// place of the byte before an offset, line and column counted from 1.
func place(content []byte, offset int64) (line, column int) {
	before := content[:max(0, min(offset-1, int64(len(content))))]
	lastLine := before[bytes.LastIndexByte(before, '\n')+1:]
	return bytes.Count(before, []byte("\n")) + 1, len([]rune(string(lastLine))) + 1
}
