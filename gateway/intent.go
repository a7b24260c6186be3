package gateway

import (
	"net/http"
	"strings"
)

// intent is what a request may do to an agent's state.
type intent bool

const (
	reads  intent = false
	writes intent = true
)

// searches are the routes of agent servers that are asked by POST and change
// nothing; a star stands for one segment. They are LangGraph's for JavaScript and
// Python and Aegra's together: none of them uses another's for a write.
var searches = [][]string{
	{"assistants", "search"},
	{"assistants", "count"},
	{"assistants", "*", "versions"},
	{"runs", "crons", "search"},
	{"runs", "crons", "count"},
	{"store", "items", "search"},
	{"store", "namespaces"},
	{"threads", "search"},
	{"threads", "count"},
	{"threads", "*", "history"},
	{"threads", "*", "state", "checkpoint"},
	{"threads", "*", "stream", "events"},
	{"ui", "*"},
}

// endings are the routes that end runs. They count as reads: what waits for runs
// to end must not have who would end them wait too.
var endings = [][]string{
	{"runs", "cancel"},
	{"threads", "*", "runs", "*", "cancel"},
}

// intentOf tells reads from writes by method and path. What it does not know,
// such as an app's own routes, MCP and A2A, writes unless it is a GET; so does
// what is spelled in an unusual way, and a WebSocket, since commands may follow.
func intentOf(method, path string, upgrades bool) intent {
	switch {
	case upgrades:
		return writes
	case method == http.MethodGet, method == http.MethodHead, method == http.MethodOptions:
		return reads
	case method == http.MethodPost:
		return intent(!fits(path, searches) && !fits(path, endings))
	}
	return writes
}

func fits(path string, patterns [][]string) bool {
	for _, p := range patterns {
		if fit(path, p) {
			return true
		}
	}
	return false
}

func fit(path string, pattern []string) bool {
	for _, want := range pattern {
		if path == "" || path[0] != '/' {
			return false
		}
		path = path[1:]
		end := strings.IndexByte(path, '/')
		if end < 0 {
			end = len(path)
		}
		if got := path[:end]; got != want && (want != "*" || got == "") {
			return false
		}
		path = path[end:]
	}
	return path == ""
}
