package check_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api/check"
	"github.com/slipwayhq/slipway/api/wire"
)

const typical = `{"name": "my-agent", "source": "internal_source", "source_config": {"deployment_type": "dev",
	"resource_spec": {"cpu": 1, "memory_mb": "1024", "min_scale": 1, "max_scale": 2.0}, "build_on_push": "no",
	"install_command": null}, "source_revision_config": {}, "secrets": [
	{"name": "OPENAI_API_KEY", "value": "sk-0123456789abcdef0123456789abcdef"}, {"name": "MODE", "value": "fast"},
	{"name": "URL", "value": "https://example.org/a?b=c"}], "secret_references": [], "extra": {"ignored": [1, 2]}}`

func TestCanonicalForm(t *testing.T) {
	op := ours(t).Route("POST /v2/deployments")
	got, details := op.Body([]byte(typical))
	const want = `{"name":"my-agent","source":"internal_source","source_config":{"deployment_type":"dev",` +
		`"build_on_push":false,"resource_spec":{"min_scale":1,"max_scale":2,"cpu":1.0,"memory_mb":1024},` +
		`"install_command":null},"source_revision_config":{},"secrets":[` +
		`{"name":"OPENAI_API_KEY","value":"sk-0123456789abcdef0123456789abcdef"},{"name":"MODE","value":"fast"},` +
		`{"name":"URL","value":"https://example.org/a?b=c"}],"secret_references":[]}`
	if details != nil || string(got) != want {
		t.Fatalf("got %s %v\nwant %s", got, details, want)
	}
	var request wire.DeploymentCreateRequest
	if err := json.Unmarshal(got, &request); err != nil {
		t.Fatal(err)
	}
}

// What passes is read into the generated types, however odd the spelling.
func TestEveryVectorThatPassesBinds(t *testing.T) {
	op := ours(t).Route("POST /v2/deployments")
	for _, name := range []string{"DeploymentCreateRequest", "edges"} {
		eachLine(t, name, func(v vector) {
			canonical, details := op.Body([]byte(v.Body))
			if details != nil {
				return
			}
			var request wire.DeploymentCreateRequest
			if err := json.Unmarshal(canonical, &request); err != nil {
				t.Errorf("%s: %v", canonical, err)
			}
		})
	}
}

func TestMissingBody(t *testing.T) {
	op := ours(t).Route("POST /v2/deployments")
	for _, body := range []string{"", "null", " null "} {
		_, details := op.Body([]byte(body))
		compare(t, body, details, []byte(`[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]`))
	}
	_, details := op.Text([]byte(`{}`))
	compare(t, "text", details, []byte(`[{"type":"model_attributes_type","loc":["body"],
		"msg":"Input should be a valid dictionary or object to extract fields from","input":"{}"}]`))
}

func TestNewerValuesPassUnnamed(t *testing.T) {
	op := ours(t).Route("GET /v2/deployments")
	for _, value := range []string{"dev_zero", "dev_free_zero", "serverless", "prod"} {
		if _, details := op.Query(url.Values{"deployment_type": {value}}); details != nil {
			t.Errorf("%s: %v", value, details)
		}
	}
	_, details := op.Query(url.Values{"deployment_type": {"x"}})
	if len(details) != 1 || details[0].Msg != "Input should be 'dev_free', 'dev' or 'prod'" {
		t.Errorf("got %v", details)
	}
}

func TestQuery(t *testing.T) {
	op := ours(t).Route("GET /v2/deployments")
	got, details := op.Query(url.Values{
		"limit": {"7", " 1_0 "}, "offset": {"3.0"}, "remote_reconciled": {"Yes"}, "name_contains": {"\xff\""}, "foo": {"1"},
	})
	want := url.Values{
		"limit": {"10"}, "offset": {"3"}, "remote_reconciled": {"true"}, "name_contains": {"\ufffd\""},
	}
	if details != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v %v", got, details)
	}
	_, details = op.Query(url.Values{"offset": {"-1"}, "limit": {"0"}})
	if len(details) != 2 || details[0].Loc[1] != "limit" || details[1].Loc[1] != "offset" {
		t.Errorf("not in the document's order: %v", details)
	}
}

func TestQueryOfMany(t *testing.T) {
	op := ours(t).Route("DELETE /v2/deployments")
	id := "DB5B5FAB8F4D3E27DDA1494C73CF256D"
	got, details := op.Query(url.Values{"deployment_ids": {id, id}})
	one := "db5b5fab-8f4d-3e27-dda1-494c73cf256d"
	if details != nil || !reflect.DeepEqual(got["deployment_ids"], []string{one, one}) {
		t.Errorf("got %v %v", got, details)
	}
	_, details = op.Query(nil)
	compare(t, "none", details, []byte(`[{"type":"missing","loc":["query","deployment_ids"],"msg":"Field required","input":null}]`))
	_, details = op.Query(url.Values{"deployment_ids": {id, "x"}})
	if len(details) != 1 || !reflect.DeepEqual(details[0].Loc, []any{"query", "deployment_ids", 1}) {
		t.Errorf("got %v", details)
	}
	_, details = op.Query(url.Values{"deployment_ids": make([]string, 101)})
	if len(details) != 1 || details[0].Msg != "List should have at most 100 items after validation, not 101" {
		t.Errorf("got %v", details)
	}
}

func TestPath(t *testing.T) {
	op := ours(t).Operation("get_deployment_v2_deployments__deployment_id__get")
	if names := op.PathNames(); !reflect.DeepEqual(names, []string{"deployment_id"}) {
		t.Errorf("got %v", names)
	}
	got, details := op.Path("deployment_id", "{DB5B5FAB-8F4D-3E27-DDA1-494C73CF256D}")
	if details != nil || got != "db5b5fab-8f4d-3e27-dda1-494c73cf256d" {
		t.Errorf("got %s %v", got, details)
	}
	for _, bad := range []string{"", "a/b", "\x00", "../x", "\xff"} {
		if _, details := op.Path("deployment_id", bad); len(details) != 1 || details[0].Type != "uuid_parsing" {
			t.Errorf("%q: %v", bad, details)
		}
	}
}

func TestHeader(t *testing.T) {
	const doc = `{"components": {"parameters": {"n": {"name": "X-N", "in": "header", "required": true, "schema": {"type": "integer"}}}},
		"paths": {"/": {"get": {"operationId": "h", "parameters": [{"$ref": "#/components/parameters/n"},
			{"name": "X-Tags", "in": "header", "schema": {"type": "string"}}]}}}}`
	op := compile(t, []byte(doc)).Operation("h")
	got, details := op.Header(http.Header{"X-N": {" 7 "}, "X-Tags": {"a", "b, c"}, "X-Other": {"x"}})
	if details != nil || !reflect.DeepEqual(got, map[string]string{"X-N": "7", "X-Tags": "a, b, c"}) {
		t.Errorf("got %v %v", got, details)
	}
	_, details = op.Header(http.Header{"X-N": {"x"}})
	if len(details) != 1 || !reflect.DeepEqual(details[0].Loc, []any{"header", "x-n"}) {
		t.Errorf("got %v", details)
	}
	_, details = op.Header(nil)
	compare(t, "none", details, []byte(`[{"type":"missing","loc":["header","x-n"],"msg":"Field required","input":null}]`))
}

func TestUnion(t *testing.T) {
	const doc = `{"paths": {"/": {"post": {"operationId": "u", "requestBody": {"required": true, "content": {
		"application/json": {"schema": {"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 1},
			{"type": "array", "items": {"type": "boolean"}}]}}}}}}}}`
	op := compile(t, []byte(doc)).Operation("u")
	for body, want := range map[string]string{`"3"`: `"3"`, `3.0`: `3`, `["on"]`: `[true]`} {
		if got, details := op.Body([]byte(body)); details != nil || string(got) != want {
			t.Errorf("%s: got %s %v", body, got, details)
		}
	}
	_, details := op.Body([]byte(`{}`))
	var places []string
	for _, d := range details {
		places = append(places, d.Type+" "+d.Loc[1].(string))
	}
	want := []string{"int_type int", "string_type constrained-str", "list_type list[bool]"}
	if !reflect.DeepEqual(places, want) {
		t.Errorf("got %v", places)
	}
}

func TestCompileRefusesWhatItWouldNotEnforce(t *testing.T) {
	for _, schema := range []string{
		`{"type": "string", "pattern": "x"}`, `{"type": "string", "format": "byte"}`, `{"type": "tuple"}`,
		`{"$ref": "#/components/schemas/None"}`, `{"type": "object", "properties": {"a": {"uniqueItems": true}}}`,
	} {
		doc := strings.Replace(openDoc, `"schema": {}`, `"schema": `+schema, 1)
		if _, err := check.Compile([]byte(doc)); err == nil {
			t.Errorf("%s was taken", schema)
		}
	}
	if _, err := check.Compile([]byte(`{`)); err == nil {
		t.Error("a broken document was taken")
	}
}

func TestReport(t *testing.T) {
	_, details := ours(t).Route("POST /v2/deployments").Body([]byte(`{"name": "<&>"`))
	const want = `{"detail":[{"type":"json_invalid","loc":["body",14],"msg":"JSON decode error","input":{},` +
		`"ctx":{"error":"Expecting ',' delimiter"}}]}`
	if got := check.Report(details); !bytes.Equal(got, []byte(want)) {
		t.Errorf("got %s", got)
	}
}

func FuzzBody(f *testing.F) {
	set := ours(f)
	ops := []*check.Operation{open(f)}
	for _, route := range set.Routes() {
		if op := set.Route(route); op.TakesBody() {
			ops = append(ops, op)
		}
	}
	for _, seed := range []string{typical, "{}", `"\ud800"`, `[1e999,-0,"é"]`, `{"secrets":[{"name":"a"}]}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, op := range ops {
			canonical, details := op.Body(raw)
			if details == nil && !json.Valid(canonical) {
				t.Errorf("%q: canonical form %q is not JSON", raw, canonical)
			}
			if report := check.Report(details); !json.Valid(report) {
				t.Errorf("%q: report %q is not JSON", raw, report)
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	op := ours(f).Operation("get_deployment_v2_deployments__deployment_id__get")
	f.Add("{DB5B5FAB-8F4D-3E27-DDA1-494C73CF256D}")
	f.Add("urn:uuid:----é")
	f.Fuzz(func(t *testing.T, raw string) {
		canonical, details := op.Path("deployment_id", raw)
		if details == nil && len(canonical) != 36 {
			t.Errorf("%q became %q", raw, canonical)
		}
		if !json.Valid(check.Report(details)) {
			t.Errorf("%q: the report is not JSON", raw)
		}
	})
}

func BenchmarkCreateBody(b *testing.B) {
	op := ours(b).Route("POST /v2/deployments")
	raw := []byte(typical)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, details := op.Body(raw); details != nil {
			b.Fatal(details)
		}
	}
}

func FuzzQuery(f *testing.F) {
	set := ours(f)
	var ops []*check.Operation
	for _, route := range set.Routes() {
		ops = append(ops, set.Route(route))
	}
	f.Add("limit=5&offset=1_0&remote_reconciled=Yes&deployment_type=dev")
	f.Add("deployment_ids=DB5B5FAB8F4D3E27DDA1494C73CF256D&deployment_ids=%ff&type=build&installation_id=1.0")
	f.Fuzz(func(t *testing.T, raw string) {
		query, _ := url.ParseQuery(raw)
		for _, op := range ops {
			canonical, details := op.Query(query)
			if !json.Valid(check.Report(details)) {
				t.Errorf("%q: the report is not JSON", raw)
			}
			if details != nil {
				continue
			}
			if again, details := op.Query(canonical); details != nil || !reflect.DeepEqual(again, canonical) {
				t.Errorf("%q: canonical %v becomes %v %v", raw, canonical, again, details)
			}
		}
	})
}
