package js

import (
	"regexp"
	"slices"
	"strings"
)

// speech is how a package manager says what went wrong.
type speech struct {
	mark   *regexp.Regexp // of its error lines, to be taken off
	noise  *regexp.Regexp // in error lines, which says less than the others
	rest   bool           // what follows the first error line belongs to it
	hidden *regexp.Regexp // lines that are not worth a place in the log
	help   *regexp.Regexp // the error line after which it explains its own options
	rules  []rule         // the first that fits any line explains
}

// rule is what a line means.
type rule struct {
	line *regexp.Regexp
	explanation
}

// explanation of an error.
type explanation struct{ code, hint string }

// lockRefused is the code for a lock file that does not fit the manifest.
const lockRefused = "lock_refused"

var (
	unreachable = explanation{"registry_unreachable", "Look whether this machine reaches the npm registry, then deploy again."}
	notThere    = explanation{"dependency_not_found", "Look at the name and the version in package.json."}
	denied      = explanation{"registry_denied", "The registry wants credentials: an .npmrc in the source can name them, and a BUILD_SECRET_ variable hold them."}
	conflict    = explanation{"dependency_conflict", "Two dependencies want different versions of a third; package.json can settle it."}
	tampered    = explanation{"integrity_mismatch", "A package is not the one in the lock file: make the lock file anew."}
	engine      = explanation{"engine_mismatch", "The app or a dependency wants another Node: see node_version."}
	badManifest = explanation{"package_json_invalid", ""}
)

// refusedLock is the same for all but the command that makes the lock file fit.
func refusedLock(command, lock string) explanation {
	return explanation{lockRefused, "Run " + command + " and pack its " + lock + "."}
}

// general are errors that any program may meet.
var general = []rule{
	{regexp.MustCompile(`ENOSPC|EDQUOT|[Nn]o space left on device`), explanation{"disk_full", "Free some space below the data folder and deploy again."}},
	{regexp.MustCompile(`JavaScript heap out of memory|ENOMEM|Cannot allocate memory`), explanation{"out_of_memory", "It needs more memory than it was given: see the limits of builds."}},
}

// network are the words for a registry that can not be reached.
var network = regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|ConnectionRefused|FailedToOpenSocket|DNS|socket hang up|registry appears to be down`)

// output remembers what matters of what a program said.
type output struct {
	speech
	errors []string // its error lines, without their mark
	last   []string // last lines of any kind
	meant  int      // the best rule that a line fits, counted from 1; 0 for none
	common int      // the same of the general ones
	usage  bool     // it has begun to explain its own options
	exit   int
}

const (
	quoteLines = 8
	quoteBytes = 1500
)

// add takes a line, and says whether it is worth showing: some explain their
// own options at length, and name log files of their own.
func (o *output) add(line string) bool {
	mark := ""
	if o.mark != nil {
		mark = o.mark.FindString(line)
	}
	said := strings.TrimSpace(line[len(mark):])
	o.usage = o.usage || mark != "" && o.help != nil && o.help.MatchString(said)
	if o.usage || o.hidden != nil && o.hidden.MatchString(said) {
		return false
	}
	o.meant, o.common = best(o.rules, o.meant, line), best(general, o.common, line)
	if mark != "" || o.rest && len(o.errors) > 0 {
		o.errors = append(o.errors, said)
	}
	o.last = append(o.last, line)
	o.last = o.last[max(0, len(o.last)-quoteLines):]
	return true
}

// best is the first rule that this line or one before fits.
func best(rules []rule, so int, line string) int {
	limit := len(rules)
	if so > 0 {
		limit = so - 1
	}
	if i := slices.IndexFunc(rules[:limit], func(r rule) bool { return r.line.MatchString(line) }); i >= 0 {
		return i + 1
	}
	return so
}

func (o *output) general() (explanation, bool) {
	if o.common == 0 {
		return explanation{}, false
	}
	return general[o.common-1].explanation, true
}

// explain makes a failure of an exit code other than 0; an error that kept the
// program from ending at all stays as it is. Of hints, those about the app's own
// files are for its own installation.
func (o *output) explain(what string, own bool, err error) error {
	if err != nil || o.exit == 0 {
		return err
	}
	e, ok := o.general()
	switch {
	case ok:
		own = true
	case o.meant > 0:
		e = o.rules[o.meant-1].explanation
	default:
		e = explanation{code: "install_failed"}
	}
	f := fail(e.code, "%s: %s", what, o.quote())
	if f.Exit = &o.exit; own || e == unreachable {
		f.Hint = e.hint
	}
	return f
}

func (o *output) quote() string {
	var lines []string
	for _, line := range o.errors {
		if o.noise == nil || !o.noise.MatchString(line) {
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
