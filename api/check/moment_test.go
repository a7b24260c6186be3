package check_test

import (
	"testing"
	"time"
)

const momentDoc = `{"paths": {"/": {"post": {"operationId": "m", "requestBody": {"required": true, "content": {
	"application/json": {"schema": {"type": "string", "format": "date-time"}}}}}}}}`

// The recorded answers are pydantic's.
func TestVectorsOfMoments(t *testing.T) {
	op := compile(t, []byte(momentDoc)).Operation("m")
	n := 0
	eachLine(t, "moments", func(v vector) {
		n++
		if v.Body == "null" {
			return // a missing body, before it is a wrong one
		}
		canonical, details := op.Body([]byte(v.Body))
		compare(t, v.Body, details, v.Want)
		if details != nil {
			return
		}
		got, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(canonical))
		if want, _ := time.Parse(time.RFC3339Nano, v.At); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, want %s", v.Body, canonical, v.At)
		}
	})
	if n != 790 {
		t.Errorf("%d recorded requests", n)
	}
}

// RFC 3339 in UTC can not say what pydantic takes here, and JSON can not say
// some of the rest.
func TestMomentsThatAreRefused(t *testing.T) {
	op := compile(t, []byte(momentDoc)).Operation("m")
	for _, body := range []string{`"0001-01-01T00:00:00+05:00"`, `"9999-12-31T23:59:59-05:00"`, `NaN`, `Infinity`, `-Infinity`, `"\ud800"`} {
		if canonical, details := op.Body([]byte(body)); len(details) != 1 {
			t.Errorf("%s: %s %v", body, canonical, details)
		}
	}
}
