package appconfig_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipwayhq/slipway/build/appconfig"
)

func TestVariable(t *testing.T) {
	for name, c := range map[string]struct{ env, file, want string }{
		"in the configuration":      {env: `{"OTHER": "x", "WANTED": "there"}`, want: "there"},
		"a number":                  {env: `{"WANTED": 1}`, want: "1"},
		"null":                      {env: `{"WANTED": null}`},
		"another":                   {env: `{"OTHER": "x"}`},
		"no env":                    {env: `{}`},
		"in a file":                 {env: `".env"`, file: "OTHER=x\nWANTED=there\n", want: "there"},
		"quoted":                    {env: `".env"`, file: "  export WANTED = 'there'  # why\r\n", want: "there"},
		"given twice":               {env: `".env"`, file: "WANTED=one\nWANTED=\"two\"", want: "two"},
		"a comment":                 {env: `".env"`, file: "# WANTED=no\nUNWANTED=no\nWANTED_TOO=no"},
		"a file that is not packed": {env: `".env"`},
	} {
		t.Run(name, func(t *testing.T) {
			root := source(t, "langgraph.json", `{"graphs": {"a": "./a.ts:a"}, "env": `+c.env+`}`, "a.ts")
			if c.file != "" {
				if err := os.WriteFile(filepath.Join(root, ".env"), []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			config, err := appconfig.Load(root, "langgraph.json")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := config.Variable(root, "WANTED"); got != c.want || err != nil {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}
