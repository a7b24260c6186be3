package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is an answer other than 2xx.
type Error struct {
	Status int     // of HTTP
	Detail string  // the server's words; "" when Fields says it
	Fields []Fault // what is wrong with the input, of a 422
	// RetryAfter is how long the server asks to wait before the same request is
	// sent again; 0 if it does not say.
	RetryAfter time.Duration
}

// Fault is one thing wrong with the input.
type Fault struct {
	Type string `json:"type"` // stable word for programs
	Loc  Path   `json:"loc"`
	Msg  string `json:"msg"`
}

// Path leads to a value of the input: body, query or path first.
type Path []string

// UnmarshalJSON takes names and indexes.
func (p *Path) UnmarshalJSON(raw []byte) error {
	var steps []any
	if err := json.Unmarshal(raw, &steps); err != nil {
		return err
	}
	for _, step := range steps {
		switch s := step.(type) {
		case string:
			*p = append(*p, s)
		case float64:
			*p = append(*p, strconv.Itoa(int(s)))
		}
	}
	return nil
}

func (p Path) String() string { return strings.Join(p, ".") }

func (f Fault) String() string { return f.Loc.String() + ": " + f.Msg }

// Error is the server's words, or a line for each fault.
func (e *Error) Error() string {
	if len(e.Fields) == 0 {
		return e.Detail
	}
	lines := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// IsNotFound says whether the server, or a search, did not know what was asked
// for.
func IsNotFound(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.Status == http.StatusNotFound
}

// refusal reads the error out of an answer, nil if it is none.
func refusal(resp *http.Response) error {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // half an explanation is better than none
	e := &Error{Status: resp.StatusCode, RetryAfter: retryAfter(resp)}
	var body struct{ Detail json.RawMessage }
	_ = json.Unmarshal(raw, &body) // what is no JSON has no detail
	if json.Unmarshal(body.Detail, &e.Detail) != nil {
		_ = json.Unmarshal(body.Detail, &e.Fields)
	}
	if e.Detail == "" && len(e.Fields) == 0 {
		e.Detail = describe(resp, string(raw))
	}
	return e
}

// retryAfter reads how long to wait: a number of seconds, or a date.
func retryAfter(resp *http.Response) time.Duration {
	text := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// describe makes do with an answer that is not of the contract, such as a
// proxy's.
func describe(resp *http.Response, body string) string {
	text := fmt.Sprintf("%s answered %d %s", resp.Request.URL.Redacted(), resp.StatusCode, http.StatusText(resp.StatusCode))
	if place := resp.Header.Get("Location"); place != "" {
		return text + ", which points to " + place
	}
	first, _, _ := strings.Cut(strings.TrimSpace(body), "\n")
	if first == "" || strings.HasPrefix(first, "<") {
		return text
	}
	return text + ": " + first[:min(len(first), 300)]
}
