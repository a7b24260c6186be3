package python

import (
	"regexp"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

// output remembers what matters of what a program said.
type output struct {
	last  []string // last lines
	wrong []string // from the first line on that says what is wrong
	exit  int
}

const (
	quoteLines = 14
	quoteBytes = 1800
	keepLines  = 80
)

var (
	beginning = regexp.MustCompile(`^\s*(error|ERROR|× |WARNING: Retrying)`)
	noise     = regexp.MustCompile(`^(\s*$|Using CPython |Resolved \d|Checked in |\[notice\]|warning: Skipping file for|\s*│\s*$` +
		`|\s*(Collecting|Obtaining|Downloading|Using cached|Building|Created wheel|Stored in|Checking if|Installing|Getting requirements to build|Preparing|Looking in|Requirement already|Successfully|Would install|Attempting|Created temporary|Ignoring|Link requires|Looking at|INFO: pip is looking)\b)`)
)

// add takes a line, and says whether it is worth showing.
func (o *output) add(line string) bool {
	if noise.MatchString(line) {
		return false
	}
	o.last = append(o.last, line)
	o.last = o.last[max(0, len(o.last)-keepLines):]
	if len(o.wrong) > 0 || beginning.MatchString(line) {
		o.wrong = append(o.wrong, line)
		o.wrong = o.wrong[:min(len(o.wrong), keepLines)]
	}
	return true
}

func (o *output) text() string { return strings.Join(o.last, "\n") }

// explanation of what uv or pip said.
type explanation struct {
	says *regexp.Regexp
	code string
	hint string
}

// explanations, the surest first: one that can not reach its index also says
// that it found nothing there.
var explanations = []explanation{
	{
		regexp.MustCompile(`No space left on device|os error 28\b|Errno 28\b|os error 122\b|Errno 122\b|[Dd]isk quota exceeded`),
		"disk_full", "Free some space below the data folder and deploy again.",
	},
	{
		regexp.MustCompile(`needs to be updated, but .--locked. was provided`),
		"lock_stale", "Run uv lock, and pack the uv.lock that it writes.",
	},
	{
		regexp.MustCompile(`\b40[13] (Unauthorized|Forbidden|Client Error)|\b401 Error, Credentials|could not be queried due to a lack of valid authentication|HTTP status client error \(40[13]|401 Unauthorized`),
		"registry_denied", "The index wants credentials: give them to the build as secrets, or by pip_config_file.",
	},
	{
		regexp.MustCompile(`dns error|[Tt]emporary failure in name resolution|Name or service not known|[Cc]onnection refused|[Cc]onnection reset|error sending request|tcp connect error|NewConnectionError|Failed to establish a new connection|Read ?[Tt]imed? ?out|operation timed out|ConnectTimeoutError|Network is unreachable|certificate verify failed|invalid peer certificate|Network connectivity is disabled`),
		"registry_unreachable", "Look whether this machine reaches the package index, then deploy again.",
	},
	{
		regexp.MustCompile(`[Hh]ash mismatch|DO NOT MATCH THE HASHES`),
		"integrity_mismatch", "A package is not the one in the lock: make the lock anew.",
	},
	{
		regexp.MustCompile(`does not satisfy Python|requires a different Python|Requires-Python`),
		"dependency_conflict", "A dependency wants another Python: see python_version.",
	},
	{
		regexp.MustCompile(`was not found in the package registry`),
		"dependency_not_found", "Look at the name in the app's dependencies.",
	},
	{
		regexp.MustCompile(`ResolutionImpossible|conflicting dependencies|(?s)depends on.*(unsatisfiable|incompatible)`),
		"dependency_conflict", "Two dependencies want different versions of a third; the app's dependencies can settle it.",
	},
	{
		regexp.MustCompile(`there (is|are) no versions? of|only .* (is|are) available|No matching distribution found`),
		"dependency_not_found", "Look at the name and the version in the app's dependencies.",
	},
	{
		regexp.MustCompile(`[Ff]ailed to build|[Bb]uild backend|subprocess-exited-with-error|metadata-generation-failed|Getting requirements to build|Could not build wheels|Failed to prepare`),
		"build_failed", "A package could not be built from its source: the log shows what it said. One that has a wheel for this Python needs no building.",
	},
	{
		regexp.MustCompile(`[Cc]ouldn.t parse requirement|Invalid requirement|Expected package name|no such option|Unsupported|unexpected argument|Failed to parse`),
		"requirements_invalid", "Look at the line in the app's dependencies.",
	},
}

// wantsBuild says whether nothing but a wheel was missing.
func (o *output) wantsBuild() bool {
	text := o.text()
	return o.exit != 0 && !unreachable.MatchString(text) && noWheel.MatchString(text)
}

var (
	noWheel     = regexp.MustCompile(`no usable wheels|[Bb]uilding (from source|source distributions) is disabled|no wheels with a matching|--no-build|No matching distribution found`)
	unreachable = explanations[3].says
)

// explain makes a failure of an exit code other than 0; an error that kept the
// program from ending at all stays as it is.
func (j *job) explain(o *output, what string, err error) error {
	if err != nil || o.exit == 0 {
		return err
	}
	e := explanation{code: "install_failed"}
	if i := slices.IndexFunc(explanations, func(e explanation) bool { return e.says.MatchString(o.text()) }); i >= 0 {
		e = explanations[i]
	}
	if e.code == "dependency_conflict" && j.concernsServer(o) {
		e.code = "version_conflict"
		e.hint = "The app and " + j.server.Name + " do not go together: loosen the app's pins, or list a version of " + j.server.Packages[0] + " that fits them."
	}
	tool, _ := j.with.tool()
	f := failure.New(stepInstall, e.code, "%s can not %s: %s", tool, what, o.quote())
	f.Hint, f.Exit = e.hint, &o.exit
	return f
}

func (j *job) concernsServer(o *output) bool {
	return slices.ContainsFunc(j.server.Packages, func(name string) bool { return strings.Contains(o.text(), name) })
}

var mark = regexp.MustCompile(`^\s*(error:|ERROR:|×|├─▶|╰─▶|│|cause:)\s*`)

func (o *output) quote() string {
	lines := o.wrong
	if len(lines) == 0 {
		lines = o.last[max(0, len(o.last)-quoteLines):]
	}
	said := withoutStacks(lines)
	if len(said) == 0 {
		return "it said nothing"
	}
	text := strings.Join(said[:min(len(said), quoteLines)], "\n")
	return strings.ToValidUTF8(text[:min(len(text), quoteBytes)], "")
}

var (
	stackLine = regexp.MustCompile(`^(Traceback \(most recent|[\^~]+$|\[stderr\]|╰─> \[\d+ lines)`)
	frameLine = regexp.MustCompile(`^File "[^"]*", line \d+`)
)

// withoutStacks leaves out how a program came to what it says in the end.
func withoutStacks(lines []string) []string {
	var said []string
	code := false // the line after a frame is its code
	for _, line := range lines {
		line = strings.TrimSpace(mark.ReplaceAllString(line, ""))
		frame := frameLine.MatchString(line)
		if line != "" && !frame && !code && !stackLine.MatchString(line) {
			said = append(said, line)
		}
		code = frame && !strings.Contains(line, `"<string>"`)
	}
	return said
}
