package mask

import (
	"regexp"
	"strings"
)

// looks of credentials: what is found, and what of it is shown.
var looks = []struct {
	hint string // without it there is nothing to be found
	find *regexp.Regexp
	show string
}{
	{"://", regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/?#@"'<>]+@`), "${1}" + Shown + "@"},
	{"_", regexp.MustCompile(`(?i)(_(?:authToken|auth|password)["']?\s*[=:]\s*["']?)[^\s"'&]+`), "${1}" + Shown},
	{"Auth", regexp.MustCompile(`(?i)((?:npmAuthToken|npmAuthIdent|Authorization)["']?\s*[=:]\s*["']?(?:(?:Bearer|Basic|Token)\s+)?)[^\s"',&]+`), "${1}" + Shown},
}

// credentials masks what looks like them.
func credentials(text string) string {
	for _, look := range looks {
		if containsFold(text, look.hint) {
			text = look.find.ReplaceAllString(text, look.show)
		}
	}
	return text
}

func containsFold(text, part string) bool {
	return strings.Contains(text, part) || part == "Auth" && strings.Contains(strings.ToLower(text), "auth")
}

// settings of package managers that hold a secret, and addresses with one.
var (
	setting = regexp.MustCompile(`(?im)^[^#;\n]*?(?:_?auth|token|password|npmAuthToken|npmAuthIdent)["']?\s*[=:]\s*["']?([^\s"'#]+)`)
	address = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://([^\s/?#@:"'<>]*)(?::([^\s/?#@"'<>]*))?@`)
	machine = regexp.MustCompile(`\bpassword\s+(\S+)`)
)

// AddSettings masks what the text of a package manager's settings (.npmrc,
// .yarnrc.yml, pip.conf, .netrc, requirements.txt) gives away: tokens, passwords
// and the user part of addresses.
func (m *Masker) AddSettings(text string) {
	var values []string
	for _, find := range []*regexp.Regexp{setting, address, machine} {
		for _, match := range find.FindAllStringSubmatch(text, -1) {
			for _, value := range match[1:] {
				if !strings.HasPrefix(value, "${") && !strings.Contains(value, "://") {
					values = append(values, value)
				}
			}
		}
	}
	m.Add(values...)
}
