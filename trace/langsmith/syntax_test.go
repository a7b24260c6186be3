package langsmith // the scanner is not for others

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func accepts(text string) bool {
	_, err := io.ReadAll(&checked{from: strings.NewReader(text)})
	if err != nil && !errors.Is(err, errNoJSON) {
		panic(err)
	}
	_, slowly := io.ReadAll(&checked{from: iotest.OneByteReader(strings.NewReader(text))})
	return err == nil && slowly == nil
}

// The scanner takes what encoding/json takes.
func TestScanner(t *testing.T) {
	for _, text := range []string{
		"", " ", "null", "nul", "nulll", "true", "false", "truefalse", `""`, `"`, `"\n"`, `"\x"`, `"\u12aG"`, `"\u12aF"`, "\"\n\"", "\"\x7f\"",
		"0", "-0", "-", "00", "01", "1.", "1.5", ".5", "1e", "1e+", "1e+5", "1E-05", "1e5.2", "0.0e0", "1 ", "1 1", "+1", "--1", "0x1",
		"[]", "[", "]", "[1,]", "[,1]", "[1 2]", "[1,2]", "[[],{}]", "{}", "{", "{]", "[}", `{"a"}`, `{"a":}`, `{"a":1}`, `{"a":1,}`, `{"a":1 "b":2}`, `{1:2}`, `{"a":{"b":[]}}`, ` { "a" : [ 1 , 2 ] } `,
		`"a long text of many words"`, "\"a long text\x1f of many words\"", "\"a long text of many w\x00ords\"", `"a long text \" of many \\ words"`, "\"caf\u00e9 caf\u00e9 caf\u00e9 caf\u00e9\"",
		strings.Repeat("[", 10000) + strings.Repeat("]", 10000), strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
	} {
		if got, want := accepts(text), json.Valid([]byte(text)); got != want {
			t.Errorf("%.60q: %t, want %t", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"{", "}", "[", "]", ",", ":", `"`, `\`, "u", "0", "1", "a", "e", "E", "-", "+", ".", " ", "true", "null", `"k"`, "12"})).Draw(t, "text"), "")
		if got, want := accepts(text), json.Valid([]byte(text)); got != want {
			t.Fatalf("%q: %t, want %t", text, got, want)
		}
	})
}
