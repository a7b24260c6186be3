package langsmith // the names of parts are not for others

import (
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Names are those that the standard library reads.
func TestFormName(t *testing.T) {
	agree := func(said string) (got, want string, ok bool) {
		part := func() *multipart.Part {
			return &multipart.Part{Header: textproto.MIMEHeader{"Content-Disposition": {said}}}
		}
		got, want = formName(part()), part().FormName()
		return got, want, got == want
	}
	for _, said := range []string{
		``, `form-data`, `form-data; name="`, `form-data; name=""`, `form-data; name="post.1"`, `form-data; name="post.1"; filename="x"`, `form-data; name="a\"b"`,
		`form-data; name="a\\"`, `form-data; name="a`, `form-data; name=a`, `attachment; name="a"`, `form-data; name="a" `, `form-data; name="\`,
	} {
		if got, want, ok := agree(said); !ok {
			t.Errorf("%s: %q, want %q", said, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		rest := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{`"`, `\`, "a", ".", ";", " ", "é", "name=", "/"})).Draw(t, "rest"), "")
		if got, want, ok := agree(`form-data; name="` + rest); !ok {
			t.Fatalf("%s: %q, want %q", rest, got, want)
		}
	})
}
