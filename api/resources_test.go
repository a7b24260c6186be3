package api

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
)

// Every field has a value of its own, so that one that is left out or mixed up
// on the way is seen.
func TestResourceSpecReadsBackAsItWasSent(t *testing.T) {
	in := reflect.New(reflect.TypeFor[wire.ResourceSpecInput]()).Elem()
	for i := range in.NumField() {
		field := in.Field(i)
		field.Set(reflect.New(field.Type().Elem()))
		switch v := field.Elem(); v.Kind() {
		case reflect.Float64:
			v.SetFloat(float64(i) + 0.5)
		case reflect.Int:
			v.SetInt(int64(i) + 1)
		case reflect.String:
			v.SetString(in.Type().Field(i).Name)
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			v.Index(0).FieldByName("Name").Set(reflect.Zero(v.Index(0).FieldByName("Name").Type()))
		case reflect.Map:
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.ValueOf(in.Type().Field(i).Name), reflect.ValueOf("x"))
		default:
			t.Fatalf("%s is a %s", in.Type().Field(i).Name, v.Kind())
		}
	}
	given := in.Interface().(wire.ResourceSpecInput)
	sent, read := asObject(t, given), asObject(t, presentResources(resources(&given)))
	for name := range sent {
		if name == "volumes" || name == "sidecars" || name == "init_containers" || name == "volume_mounts" {
			if list, ok := read[name].([]any); !ok || len(list) != 1 {
				t.Errorf("%s reads back as %v", name, read[name])
			}
			continue
		}
		if !reflect.DeepEqual(sent[name], read[name]) {
			t.Errorf("%s reads back as %v, sent %v", name, read[name], sent[name])
		}
	}
	if len(read) != len(sent) {
		t.Errorf("%d fields read back of %d", len(read), len(sent))
	}
}

func asObject(t *testing.T, v any) map[string]any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]any{}
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	return object
}
