package check_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func TestMoment(t *testing.T) {
	const doc = `{"paths": {"/": {"post": {"operationId": "m", "requestBody": {"required": true, "content": {
		"application/json": {"schema": {"type": "string", "format": "date-time"}}}}}}}}`
	op := compile(t, []byte(doc)).Operation("m")
	for body, want := range map[string]string{
		`"2026-01-02T03:04:05Z"`:              `"2026-01-02T03:04:05Z"`,
		`"2026-01-02t03:04:05.25+02:00"`:      `"2026-01-02T01:04:05.25Z"`,
		`" 2026-01-02 03:04 "`:                `"2026-01-02T03:04:00Z"`,
		`"2026-01-02T03:04:05-0130"`:          `"2026-01-02T04:34:05Z"`,
		`"2026-01-02"`:                        `"2026-01-02T00:00:00Z"`,
		`1767323045`:                          `"2026-01-02T03:04:05Z"`,
		`"1767323045.5"`:                      `"2026-01-02T03:04:05.5Z"`,
		`1767323045000`:                       `"2026-01-02T03:04:05Z"`,
		`-1`:                                  `"1969-12-31T23:59:59Z"`,
		`"2026-13-02T03:04:05Z"`:              "datetime_from_date_parsing",
		`"2026-02-30"`:                        "datetime_from_date_parsing",
		`"0001-01-01T00:00:00+05:00"`:         "datetime_from_date_parsing",
		`"soon"`:                              "datetime_from_date_parsing",
		`""`:                                  "datetime_from_date_parsing",
		`1` + strings.Repeat("0", 400):        "datetime_parsing",
		`1e300`:                               "datetime_parsing",
		`true`:                                "datetime_type",
		`[]`:                                  "datetime_type",
		`"\ud800"`:                            "string_unicode",
		`"2026-01-02T03:04:05.1234567890123"`: "datetime_from_date_parsing",
	} {
		canonical, details := op.Body([]byte(body))
		got := string(canonical)
		if len(details) == 1 {
			got = details[0].Type
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}

func TestHeader(t *testing.T) {
	const doc = `{"components": {"parameters": {"n": {"name": "X-N", "in": "header", "required": true, "schema": {"type": "integer"}}}},
		"paths": {"/": {"get": {"operationId": "h", "parameters": [{"$ref": "#/components/parameters/n"}]}}}}`
	op := compile(t, []byte(doc)).Operation("h")
	got, details := op.Header(http.Header{"X-N": {" 7 ", "8"}, "X-Other": {"x"}})
	if details != nil || !reflect.DeepEqual(got, map[string]string{"X-N": "7"}) {
		t.Errorf("got %v %v", got, details)
	}
	_, details = op.Header(http.Header{"X-N": {"x"}})
	if len(details) != 1 || !reflect.DeepEqual(details[0].Loc, []any{"header", "x-n"}) {
		t.Errorf("got %v", details)
	}
	_, details = op.Header(nil)
	compare(t, "none", details, []byte(`[{"type":"missing","loc":["header","x-n"],"msg":"Field required","input":null}]`))
}
