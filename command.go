package slipway

import "strings"

// refusedInCommand are the characters that the vendor's client refuses in a
// command, so that nobody comes to rely on them. It refuses four of the control
// characters, and we all.
const refusedInCommand = "\"`\\|;$<>"

// CheckCommand refuses an install_command or a build_command that a shell would
// make more of than programs and their arguments. Programs may be joined by &&.
func CheckCommand(name, command string) error {
	refused := func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(refusedInCommand, r) }
	what := ""
	for _, r := range command {
		if refused(r) {
			what = string(r)
			break
		}
	}
	if what == "" && strings.Contains(strings.ReplaceAll(command, "&&", ""), "&") {
		what = "&"
	}
	if what == "" {
		return nil
	}
	return Errorf(CodeInvalid, "Source configuration error: 'source_config.%s' contains %q; put what needs a shell into a script of the app's own, and run that.", name, what)
}
