package api_test

import (
	"encoding/json"
	"os"
	"path"
	"reflect"
	"slices"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api"
)

type document struct {
	Paths      map[string]map[string]operation
	Components struct {
		Schemas    map[string]schema
		Parameters map[string]parameter
	}
}

type operation struct {
	OperationID string
	Parameters  []parameter
	RequestBody any
	Responses   map[string]any
	Scope       slipway.Scope `json:"x-slipway-scope"`
	Workspace   string        `json:"x-slipway-workspace"`
	Planned     string        `json:"x-slipway-planned"`
}

type parameter struct {
	Ref      string `json:"$ref"`
	Name, In string
	Required bool
	Schema   any
}

type schema struct {
	Properties map[string]any
	Required   []string
}

func read(t *testing.T, raw []byte) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	for _, methods := range d.Paths {
		for _, op := range methods {
			for i, p := range op.Parameters {
				if p.Ref != "" {
					op.Parameters[i] = d.Components.Parameters[path.Base(p.Ref)]
				}
			}
		}
	}
	return d
}

func published(t *testing.T) document {
	t.Helper()
	raw, err := os.ReadFile("testdata/contract.json")
	if err != nil {
		t.Fatal(err)
	}
	return read(t, raw)
}

func TestOperationsAreThePublishedOnes(t *testing.T) {
	ours := read(t, api.Document).Paths
	for path, methods := range published(t).Paths {
		for method, want := range methods {
			if op, is := ours[path][method]; is {
				compareOperation(t, method+" "+path, op, want)
			} else {
				t.Errorf("%s %s is missing", method, path)
			}
		}
	}
}

func compareOperation(t *testing.T, name string, got, want operation) {
	t.Helper()
	if got.OperationID != want.OperationID || !reflect.DeepEqual(got.RequestBody, want.RequestBody) {
		t.Errorf("%s: operation id or request body differs", name)
	}
	if len(got.Parameters) < len(want.Parameters) {
		t.Fatalf("%s: parameters are missing", name)
	}
	for i, p := range want.Parameters {
		q := got.Parameters[i]
		if q.Name != p.Name || q.In != p.In || q.Required != p.Required || !reflect.DeepEqual(bare(q.Schema), bare(p.Schema)) {
			t.Errorf("%s: parameter %s differs", name, p.Name)
		}
	}
	for code := range want.Responses {
		if code[0] == '2' && got.Responses[code] == nil {
			t.Errorf("%s: response %s is missing", name, code)
		}
	}
}

// responses may hold newer values; requests name the published ones only.
var newerValues = []string{"Deployment.source", "Deployment.status", "Revision.source", "SourceConfig.deployment_type"}

func TestSchemasContainThePublishedOnes(t *testing.T) {
	ours := read(t, api.Document).Components.Schemas
	for name, want := range published(t).Components.Schemas {
		got, is := ours[name]
		if !is {
			t.Errorf("%s is missing", name)
			continue
		}
		for _, r := range want.Required {
			if !slices.Contains(got.Required, r) {
				t.Errorf("%s.%s is not required", name, r)
			}
		}
		for property, p := range want.Properties {
			same := reflect.DeepEqual(bare(got.Properties[property]), bare(p))
			if !same && !slices.Contains(newerValues, name+"."+property) {
				t.Errorf("%s.%s differs", name, property)
			}
		}
	}
}

// bare is a schema without words and extensions.
func bare(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, inner := range v {
			if key != "description" && key != "title" && key[:min(2, len(key))] != "x-" {
				out[key] = bare(inner)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = bare(v[i])
		}
		return out
	default:
		return v
	}
}
