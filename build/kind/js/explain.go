package js

import (
	"regexp"
	"strings"
)

// output remembers what matters of what a program said.
type output struct {
	errors []string // npm's own error lines, without their mark
	last   []string // last lines of any kind
	usage  bool     // npm has begun to explain its own options
	exit   int
}

const (
	quoteLines = 8
	quoteBytes = 1500
)

var npmError = regexp.MustCompile(`^npm (?:error|ERR!) ?`)

// add takes a line, and says whether it is worth showing: npm explains its own
// options at length when it refuses a lock file, and names log files of its own.
func (o *output) add(line string) bool {
	mark := npmError.FindString(line)
	said := strings.TrimSpace(line[len(mark):])
	o.usage = o.usage || mark != "" && (said == "Usage:" || said == "Clean install a project")
	if o.usage || ownLog.MatchString(said) {
		return false
	}
	if mark != "" {
		o.errors = append(o.errors, said)
	}
	o.last = append(o.last, line)
	o.last = o.last[max(0, len(o.last)-quoteLines):]
	return true
}

var ownLog = regexp.MustCompile(`^(A complete log of this run|Log files were not written)`)

// explanation of npm's own code of an error.
type explanation struct{ code, hint string }

var (
	unreachable = explanation{"registry_unreachable", "Look whether this machine reaches the npm registry, then deploy again."}
	notThere    = explanation{"dependency_not_found", "Look at the name and the version in package.json."}
	denied      = explanation{"registry_denied", "The registry wants credentials: an .npmrc in the source can name them."}
	diskFull    = explanation{"disk_full", "Free some space below the data folder and deploy again."}
)

var explanations = map[string]explanation{
	"ENOTFOUND": unreachable, "EAI_AGAIN": unreachable, "ECONNREFUSED": unreachable, "ECONNRESET": unreachable,
	"ETIMEDOUT": unreachable, "ENETUNREACH": unreachable, "EHOSTUNREACH": unreachable, "ERR_SOCKET_TIMEOUT": unreachable,
	"E404": notThere, "ETARGET": notThere, "ENOVERSIONS": notThere,
	"E401": denied, "E403": denied, "ENEEDAUTH": denied,
	"ENOSPC": diskFull, "EDQUOT": diskFull,
	"ERESOLVE":   {"dependency_conflict", "Two dependencies want different versions of a third; package.json can settle it."},
	"EINTEGRITY": {"integrity_mismatch", "A package is not the one in the lock file: make the lock file anew."},
	"EUSAGE":     {"lock_refused", "Run npm install and pack its package-lock.json."},
	"EBADENGINE": {"dependency_conflict", "A dependency wants another Node: see node_version."},
}

// explain makes a failure of an exit code other than 0; an error that kept the
// program from ending at all stays as it is.
func (o *output) explain(what string, err error) error {
	if err != nil || o.exit == 0 {
		return err
	}
	e, ok := explanations[o.code()]
	if !ok {
		e = explanation{code: "install_failed"}
	}
	f := fail(e.code, "npm can not install %s: %s", what, o.quote())
	if f.Exit = &o.exit; what == dependencies || e == unreachable || e == diskFull {
		f.Hint = e.hint // the others are of the app's own files
	}
	return f
}

func (o *output) code() string {
	for _, line := range o.errors {
		if code, ok := strings.CutPrefix(line, "code "); ok {
			return code
		}
	}
	return ""
}

// noise in npm's errors: its code, which says less than the words, and where in
// npm it happened. A label before the words only repeats the code.
var (
	noise = regexp.MustCompile(`^(code |errno |syscall |path |at |\w+: ('.*'|\d+),?$|}|$)`)
	label = regexp.MustCompile(`^(notarget|404|network|nospc|ERESOLVE|audit)( +|$)`)
)

func (o *output) quote() string {
	var lines []string
	for _, line := range o.errors {
		if line = label.ReplaceAllString(line, ""); !noise.MatchString(line) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		lines = o.last
	}
	if len(lines) == 0 {
		return "the command said nothing"
	}
	text := strings.Join(lines[:min(len(lines), quoteLines)], "\n")
	return strings.ToValidUTF8(text[:min(len(text), quoteBytes)], "")
}
