package main

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestShape(t *testing.T) {
	const in = `{"paths": {"/a/{id}": {"get": {"operationId": "read_a_a__id__get", "responses": {
		"200": {"schema": {"$ref": "#/components/schemas/Out"}}, "404": {}}}}},
		"components": {"schemas": {
			"Out": {"properties": {"x": {"anyOf": [{"type": "string", "enum": ["p"]}, {"type": "null"}]}, "y": {"type": "string"}}},
			"In": {"properties": {"x": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}}}}`
	const want = `{"paths": {"/a/{id}": {"get": {"operationId": "read_a", "responses": {
		"200": {"schema": {"$ref": "#/components/schemas/Out"}}}}}},
		"components": {"schemas": {
			"Out": {"properties": {"x": {"anyOf": [{"type": "string"}, {"type": "null"}], "x-omitempty": false}, "y": {"type": "string"}}},
			"In": {"properties": {"x": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}}}}`
	got, err := shape([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(parse(t, got), parse(t, []byte(want))) {
		t.Errorf("got %s", got)
	}
}

func parse(t *testing.T, raw []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
