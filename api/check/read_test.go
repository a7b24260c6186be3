package check_test

import (
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api/check"
)

const openDoc = `{"paths": {"/": {"post": {"operationId": "open", "requestBody": {"required": true,
	"content": {"application/json": {"schema": {}}}}}}}}`

func open(t testing.TB) *check.Operation { return compile(t, []byte(openDoc)).Operation("open") }

// The vectors are texts that were broken at random, with what CPython's json module says of them.
func TestSyntaxErrorsAreCPythons(t *testing.T) {
	op := open(t)
	seen := 0
	eachLine(t, "syntax", func(v vector) {
		seen++
		_, details := op.Body([]byte(v.Body))
		if details != nil && details[0].Type == "missing" { // null
			details = nil
		}
		compare(t, v.Body, details, v.Want)
	})
	if seen < 1000 {
		t.Errorf("only %d vectors", seen)
	}
}

func TestBodiesAreEchoedAsPythonHoldsThem(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":1,"b":2,"a":3}`:               `{"a":3,"b":2}`,
		`[1.0, 1e5, 1e16, 1e-5, -0, -0.0]`:  `[1.0,100000.0,1e+16,1e-05,0,-0.0]`,
		`[NaN, Infinity, -Infinity, 1e999]`: `[null,null,null,null]`,
		`"\ud800\ud83d\ude00\u001f\/é"`:     `"\ud800😀\u001f/é"`,
		"\ufeff{}":                          `{}`,
		`123456789012345678901234567890`:    `123456789012345678901234567890`,
	} {
		got, details := open(t).Body([]byte(body))
		if details != nil || string(got) != want {
			t.Errorf("%s: got %s %v, want %s", body, got, details, want)
		}
	}
}

func TestManyKeysStayUnique(t *testing.T) {
	var body, want strings.Builder
	for range 2 {
		for i := range 60 {
			body.WriteString(`,"` + strings.Repeat("k", i+1) + `":1`)
		}
	}
	for i := range 60 {
		want.WriteString(`,"` + strings.Repeat("k", i+1) + `":1`)
	}
	got, details := open(t).Body([]byte("{" + body.String()[1:] + "}"))
	if details != nil || string(got) != "{"+want.String()[1:]+"}" {
		t.Errorf("got %s %v", got, details)
	}
}

func TestWhatPythonAnswersWithoutDetail(t *testing.T) {
	for body, want := range map[string]string{
		strings.Repeat("[", 100_000):               "Nested too deeply",
		"[0" + strings.Repeat(",0", 200_000) + "]": "Too many values",
		"[\"\xff\"]":              "Invalid UTF-8",
		strings.Repeat("1", 4301): "Exceeds the limit of digits in an integer",
	} {
		_, details := open(t).Body([]byte(body))
		if len(details) != 1 || !strings.Contains(string(details[0].Ctx), want) {
			t.Errorf("%.20s: got %v, want %s", body, details, want)
		}
	}
	if _, details := open(t).Body([]byte("-" + strings.Repeat("1", 4300))); details != nil {
		t.Errorf("the longest integer: got %v", details)
	}
}
