package build

import (
	"strings"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

// refused characters of a command: those that the vendor's client refuses, so
// that nobody comes to rely on them.
const refused = "'\"`\\|;$<>"

// checkCommand refuses what a shell would make more of than programs and their
// arguments. Programs may be joined by &&.
func checkCommand(name, command string) error {
	bad := func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(refused, r) }
	if i := strings.IndexFunc(command, bad); i >= 0 {
		return commandFailure(name, "it contains %q", rune(command[i]))
	}
	if strings.Contains(strings.ReplaceAll(command, "&&", ""), "&") {
		return commandFailure(name, "it contains a single %q", '&')
	}
	return nil
}

func commandFailure(name, format string, r rune) error {
	return failure.WithHint(
		failure.New("config", "command_refused", "%s is refused: "+format+".", name, r),
		"Put what needs a shell into a script of package.json, and run that.")
}
