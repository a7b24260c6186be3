package reconcile

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/slipwayhq/slipway"
)

// toldMark begins the line by which a launcher says why it could not start:
//
//	slipway: failure: {"code": "missing_dependency", "message": "…", "hint": "…"}
//
// The last such line counts: threads of the server may print after it. What
// else there is is for people who read the whole log.
const toldMark = "slipway: failure: "

// told is what a launcher says of a start that failed.
type told struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// lastTold looks for it in the last lines of an output. Whatever runs could
// print such a line: it decides nothing but what people read.
func lastTold(lines string) (told, bool) {
	var t told
	at := strings.LastIndex("\n"+lines, "\n"+toldMark)
	if at < 0 {
		return t, false
	}
	line, _, _ := strings.Cut(lines[at+len(toldMark):], "\n")
	if json.Unmarshal([]byte(line), &t) != nil || !isCode(t.Code) || t.Message == "" {
		return told{}, false
	}
	return t, true
}

// isCode says whether a word may be the code of a failure.
func isCode(word string) bool {
	strange := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }
	return word != "" && len(word) <= 60 && !strings.ContainsFunc(word, strange)
}

// lastWords of an agent server that ended: what its launcher told, else what it
// printed.
func lastWords(e *slipway.Exit) string {
	if t, ok := lastTold(e.Reason); ok {
		return t.Message
	}
	return cmp.Or(e.Reason, "It printed nothing.")
}
