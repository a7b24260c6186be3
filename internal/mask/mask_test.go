package mask_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/mask"
)

func TestValues(t *testing.T) {
	m := mask.New("s3cret/+ \"value", "short", "first-line\nsecond-line\n-----END-----")
	for text, want := range map[string]string{
		`it is s3cret/+ "value here`:               "it is *** here",
		`{"a":"s3cret/+ \"value"}`:                 `{"a":"***"}`,
		"?a=" + url.QueryEscape(`s3cret/+ "value`): "?a=***",
		"/" + url.PathEscape(`s3cret/+ "value`):    "/***",
		"short stays":                              "short stays",
		"a second-line of it":                      "a *** of it",
		"-----END-----":                            "-----END-----",
		"s3cret/+ \"valu":                          "s3cret/+ \"valu",
		fmt.Sprintf("%x", `s3cret/+ "value`):       "***",
		"first-linefirst-line":                     "******",
		"nothing of the kind":                      "nothing of the kind",
		"b " + base64.StdEncoding.EncodeToString([]byte(`s3cret/+ "value`)) + " b": "b ***== b",
	} {
		if got := m.String(text); got != want && got != strings.Replace(want, "***==", "***", 1) {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

func TestCredentials(t *testing.T) {
	for text, want := range map[string]string{
		"fetching https://ci:pass@host/x":               "fetching https://***@host/x",
		"git+ssh://token@host":                          "git+ssh://***@host",
		"https://host/a@b":                              "https://host/a@b",
		"//registry/:_authToken=npm_abc":                "//registry/:_authToken=***",
		"_auth = dXNlcg==":                              "_auth = ***",
		`_password="cGFzcw=="`:                          `_password="***"`,
		"Authorization: Bearer abc.def":                 "Authorization: Bearer ***",
		"authorization: Basic dXNlcjpw":                 "authorization: Basic ***",
		`{"Authorization":"token abc"}`:                 `{"Authorization":"token ***"}`,
		"npmAuthToken: abc":                             "npmAuthToken: ***",
		"https://a:b@one https://c:d@two":               "https://***@one https://***@two",
		"the author is someone@example.com, see https:": "the author is someone@example.com, see https:",
	} {
		if got := (*mask.Masker)(nil).String(text); got != want {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

func TestAddSettings(t *testing.T) {
	m := mask.New()
	m.AddSettings("//r/:_authToken=tok-npm-1\n; _auth=not-this-one\n//r/:_authToken=${NPM_TOKEN}\nregistry=https://u-name:p-word1@r/")
	m.AddSettings("[global]\nindex-url = https://pip-token-1@r/simple\nextra-index-url=\n  https://a:pip-pass-2@r\n")
	m.AddSettings("machine r login me password netrc-pass-3\nnpmAuthToken: \"yarn-tok-4\"")
	for _, secret := range []string{"tok-npm-1", "p-word1", "pip-token-1", "pip-pass-2", "netrc-pass-3", "yarn-tok-4"} {
		if got := m.String("x " + secret); got != "x ***" {
			t.Errorf("%q", got)
		}
	}
	for _, other := range []string{"not-this-one", "${NPM_TOKEN}", "simple"} {
		if got := m.String(other); got != other {
			t.Errorf("%q becomes %q", other, got)
		}
	}
}

// In base64 a value is found wherever it begins.
func TestBase64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringN(8, 60, -1).Draw(t, "value")
		text := rapid.String().Draw(t, "before") + value + rapid.String().Draw(t, "after")
		encoded := base64.StdEncoding.EncodeToString([]byte(text))
		if got := mask.New(value).String(encoded); !strings.Contains(got, mask.Shown) {
			t.Errorf("%q is not masked in %q", value, got)
		}
	})
}

// However a text arrives, nothing of a value comes through.
func TestWriter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := "one the-secret two\nthree the-secret\nthe-secret"
		var out strings.Builder
		w := mask.New("the-secret").Writer(&out)
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "n")
			w.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		w.Flush()
		if want := strings.ReplaceAll(text, "the-secret", mask.Shown); out.String() != want {
			t.Errorf("%q", out.String())
		}
	})
}

func TestError(t *testing.T) {
	m := mask.New("the-secret")
	exit := 3
	err := m.Error(fmt.Errorf("x: %w", &slipway.Failure{Code: "c", Message: "a the-secret", Hint: "b the-secret", Exit: &exit}))
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Message != "a ***" || f.Hint != "b ***" || f.Code != "c" || *f.Exit != 3 {
		t.Errorf("%#v", err)
	}
	err = m.Error(fmt.Errorf("open the-secret: %w", fs.ErrNotExist))
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != "open ***: file does not exist" {
		t.Errorf("%v", err)
	}
	if err := m.Error(fs.ErrExist); err != fs.ErrExist {
		t.Errorf("%v", err)
	}
	if m.Error(nil) != nil {
		t.Error("no error becomes one")
	}
}
