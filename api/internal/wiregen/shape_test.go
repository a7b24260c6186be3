package main

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestShape(t *testing.T) {
	const in = `{"paths": {"/a/{id}": {
		"get": {"operationId": "read_a_a__id__get", "parameters": [
			{"$ref": "#/components/parameters/Key"}, {"name": "x_key", "in": "query"}],
			"responses": {"200": {"schema": {"$ref": "#/components/schemas/Out"}}, "404": {"$ref": "#/components/responses/None"}}},
		"put": {"operationId": "write_a_a__id__put", "x-slipway-planned": "Writing"}}},
		"components": {"parameters": {"Key": {"name": "X-Key", "in": "header"}}, "responses": {"None": {}}, "schemas": {
			"Out": {"properties": {"x": {"anyOf": [{"type": "string", "enum": ["p"]}, {"type": "null"}]}, "y": {"type": "string", "const": "z"}}},
			"In": {"properties": {"x": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}}}}`
	const want = `{"paths": {"/a/{id}": {
		"get": {"operationId": "read_a", "parameters": [
			{"name": "X-Key", "in": "header"}, {"name": "x_key", "in": "query", "x-go-name": "XKeyQuery"}],
			"responses": {"200": {"schema": {"$ref": "#/components/schemas/Out"}}}}}},
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
