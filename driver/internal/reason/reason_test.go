package reason_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/reason"
)

func TestLastLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output.log")
	const token = "canary \"quoted\"\nsecond line of it"
	secrets := reason.Secrets([]slipway.EnvVar{{Name: "TOKEN", Value: token}, {Name: "LANG", Value: "C.UTF-8"}, {Name: "HOME", Value: "/home/agent", Public: true}})
	for name, c := range map[string]struct {
		text string
		from int64
		want string
	}{
		"nothing":                {},
		"the last lines":         {text: strings.Repeat("x\n", 100) + "last\n\n", want: strings.Repeat("x\n", 19) + "last"},
		"of this attempt":        {text: "before\nafter\n", from: 7, want: "after"},
		"as it is":               {text: "is " + token, want: "is ***"},
		"in JSON":                {text: `{"message": "canary \"quoted\"\nsecond line of it"}`, want: `{"message": "***"}`},
		"a line of it":           {text: "or second line of it", want: "or ***"},
		"credentials by looks":   {text: "GET https://me:pass@example.com/", want: "GET https://***@example.com/"},
		"what everybody may see": {text: "/home/agent C.UTF-8", want: "/home/agent C.UTF-8"},
		"what is no text":        {text: "a\x00b\xff", want: "ab\uFFFD"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := reason.LastLines(path, c.from, secrets); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := reason.LastLines(path+".not", 0, nil); got != "" {
		t.Errorf("of no file: %q", got)
	}
}
