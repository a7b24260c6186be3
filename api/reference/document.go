package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// document is what the page shows of an OpenAPI 3.1 document.
type document struct {
	Info struct {
		Title, Version, Description string
	}
	Tags []struct {
		Name, Description string
	}
	Paths      ordered[ordered[operation]]
	Components struct {
		Parameters map[string]parameter
		Responses  map[string]response
		Schemas    ordered[schema]
	}
}

type operation struct {
	OperationID string
	Summary     string
	Description string
	Deprecated  bool
	Tags        []string
	Parameters  []parameter
	RequestBody *struct {
		Required bool
		Content  ordered[media]
	}
	Responses ordered[response]
	Scope     string `json:"x-slipway-scope"`
	Extension bool   `json:"x-slipway-extension"`
	Planned   string `json:"x-slipway-planned"`
}

type parameter struct {
	Ref         string `json:"$ref"`
	Name, In    string
	Description string
	Required    bool
	Schema      schema
	Extension   bool `json:"x-slipway-extension"`
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Headers     ordered[parameter]
	Content     ordered[media]
}

type media struct{ Schema schema }

type schema struct {
	Ref                  string `json:"$ref"`
	Type, Format         string
	Description          string
	Enum                 []string
	Const                string
	AnyOf                []schema
	Items                *schema
	Properties           ordered[schema]
	Required             []string
	AdditionalProperties json.RawMessage
	Minimum, Maximum     json.Number
	MinLength, MaxLength json.Number
	MinItems, MaxItems   json.Number
	Default              json.RawMessage
	Extension            bool     `json:"x-slipway-extension"`
	Accept               []string `json:"x-slipway-accept"`
}

// ordered is a JSON object whose members keep the document's order.
type ordered[T any] []member[T]

type member[T any] struct {
	Key   string
	Value T
}

func (o *ordered[T]) UnmarshalJSON(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return fmt.Errorf("reference: %v instead of an object: %w", open, err)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		m := member[T]{Key: key.(string)} // keys of objects are texts
		if err := dec.Decode(&m.Value); err != nil {
			return err
		}
		*o = append(*o, m)
	}
	return nil
}

func (o ordered[T]) find(key string) (value T, found bool) {
	for _, m := range o {
		if m.Key == key {
			return m.Value, true
		}
	}
	return value, false
}
