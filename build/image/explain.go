package image

import (
	"regexp"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/internal/failure"
)

// reasons why commands fail, by what they print. The first that fits counts: a
// conflict may be told of a package that is not there.
var reasons = []struct {
	printed    *regexp.Regexp
	code, hint string
}{
	{
		regexp.MustCompile(`(?i)no space left on device|\bENOSPC\b|\bEDQUOT\b`),
		"disk_full", "Free some space where the container engine keeps its images, and deploy again.",
	},
	{
		regexp.MustCompile(`\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b|(?i)temporary failure in name resolution|failed to establish a new connection|name or service not known|dns error|error trying to connect|operation timed out|connection refused`),
		"registry_unreachable", "Look whether containers of this engine reach the package registry, then deploy again.",
	},
	{
		regexp.MustCompile(`\b(E401|E403|ENEEDAUTH)\b|401 (Client )?Error|403 (Client )?Error|(?i)401 unauthorized|403 forbidden`),
		"registry_denied", "The registry wants credentials: give them to the build as secrets.",
	},
	{
		regexp.MustCompile(`\b(E404|ETARGET|ENOVERSIONS)\b|No matching distribution found|Could not find a version that satisfies|was not found in the package registry|there is no version of`),
		"dependency_not_found", "Look at the name and the version of the dependency.",
	},
	{
		regexp.MustCompile(`\bERESOLVE\b|ResolutionImpossible|conflicting dependencies|No solution found when resolving`),
		"dependency_conflict", "Two dependencies want different versions of a third.",
	},
	{
		regexp.MustCompile(`\bEUSAGE\b|ERR_PNPM_OUTDATED_LOCKFILE|(?i)lockfile .*(needs to be updated|is out of date|not up.to.date)`),
		"lock_refused", "Make the lock file anew, and pack it.",
	},
	{
		regexp.MustCompile(`\bEINTEGRITY\b|THESE PACKAGES DO NOT MATCH THE HASHES`),
		"integrity_mismatch", "A package is not the one in the lock file: make the lock file anew.",
	},
}

const (
	quoteLines  = 12
	quoteBytes  = 1500
	outOfMemory = 137 // exit code of what the kernel killed
)

// explain makes the failure of a build that the engine ended.
func (r *recipe) explain(o outcome) *slipway.Failure {
	exit, ran := o.exitCode()
	if !ran && parseError.MatchString(o.failed.Message) {
		return parseFailure(o.failed)
	}
	name := r.stepOf(o.said.step)
	code, hint := because(strings.Join(append(o.said.last, o.failed.Message), "\n"))
	switch {
	case ran && exit == outOfMemory && code != "disk_full":
		code, hint = "out_of_memory", "The command was killed: give the container engine more memory, or build with less at once."
	case code == "" && (name == stepInstall || name == stepServer):
		code = "install_failed"
	case code == "":
		code = "build_failed"
	}
	f := failure.New(name, code, "The image can not be built: %s", quote(o))
	if f.Hint = hint; ran {
		f.Exit = &exit
	}
	return f
}

// because finds the reason in what was printed, "" if it is none that is known.
func because(printed string) (code, hint string) {
	for _, reason := range reasons {
		if reason.printed.MatchString(printed) {
			return reason.code, reason.hint
		}
	}
	return "", ""
}

// stepOf finds the step of an instruction as the engine tells it.
func (r *recipe) stepOf(told string) string {
	for _, s := range r.steps {
		first, _, _ := strings.Cut(s.instruction, "\n")
		if first = strings.TrimSpace(strings.TrimSuffix(first, `\`)); first != "" && strings.Contains(told, first) {
			return s.name
		}
	}
	return stepBuild
}

// quote is the end of what the failing command printed, or else what the engine
// says.
func quote(o outcome) string {
	lines := o.said.last
	if len(lines) == 0 {
		lines = strings.Split(o.failed.Message, "\n")
	}
	text := strings.Join(lines[max(0, len(lines)-quoteLines):], "\n")
	return strings.ToValidUTF8(text[max(0, len(text)-quoteBytes):], "")
}

var parseError = regexp.MustCompile(`(?i)dockerfile parse error|unknown instruction`)

// parseFailure is of lines that make no Dockerfile: they can only be the app's.
func parseFailure(err error) *slipway.Failure {
	return failure.WithHint(
		failure.New(stepLines, "dockerfile_invalid", "The Dockerfile is not one: %v", err),
		"Look at dockerfile_lines in langgraph.json.")
}
