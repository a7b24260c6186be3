package slipway_test

import (
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
)

// Every character, within a command: what is refused is what the vendor's client
// refuses, beside control characters.
func TestCheckCommand(t *testing.T) {
	const refused = "\"`\\|;$<>&\x7f"
	for r := rune(0); r < 0x180; r++ {
		err := slipway.CheckCommand("build_command", "npm run a"+string(r)+"b")
		if want := r < ' ' || strings.ContainsRune(refused, r); (err != nil) != want {
			t.Errorf("%q: %v", r, err)
		}
	}
	for command, ok := range map[string]bool{
		"": true, "npm ci": true, "npm ci && npm run build": true, "a&&b": true, "a&&&&b": true,
		"a & b": false, "a &": false, "& a": false, "a &&& b": false, "a && b & c": false, "a&&b&c": false,
		"npm run a --x='b c'": true, "echo é": true, "a\n": false, "a\tb": false,
	} {
		err := slipway.CheckCommand("install_command", command)
		if (err == nil) != ok {
			t.Errorf("%q: %v", command, err)
		}
		if err != nil && (slipway.CodeOf(err) != slipway.CodeInvalid || !strings.Contains(err.Error(), "'source_config.install_command' contains")) {
			t.Errorf("%q: %v", command, err)
		}
	}
}
