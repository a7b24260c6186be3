package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// answer is what the server said. Its methods return it, so that they chain.
type answer struct {
	t      *T
	status int
	header http.Header
	raw    []byte
	body   any // decoded JSON, nil where there is none
}

func (a *answer) decode() {
	d := json.NewDecoder(bytes.NewReader(a.raw))
	if d.Decode(&a.body) != nil || d.More() {
		a.body = nil
	}
}

func (a *answer) String() string { return fmt.Sprintf("%d %s", a.status, show(string(a.raw))) }

// is stops the case unless the status is one of these.
func (a *answer) is(statuses ...int) *answer {
	for _, s := range statuses {
		if a.status == s {
			return a
		}
	}
	a.t.stop("status "+strings.Trim(strings.ReplaceAll(fmt.Sprint(statuses), " ", " or "), "[]"), a.String())
	return a
}

// refused stops the case unless the status is 4xx.
func (a *answer) refused() *answer {
	if a.status < 400 || a.status > 499 {
		a.t.stop("a refusal with 4xx", a.String())
	}
	return a
}

// says checks that the detail is one text and holds each of these.
func (a *answer) says(parts ...string) *answer {
	detail, ok := a.value("detail").(string)
	a.t.check(ok && detail != "", `{"detail": "<text>"}`, a.String())
	for _, p := range parts {
		a.t.check(strings.Contains(detail, p), fmt.Sprintf("a detail that contains %q", p), a.String())
	}
	return a
}

// value is what lies at a path such as resources.0.id, nil if nothing does.
func (a *answer) value(path string) any {
	v, _ := lookup(a.body, path)
	return v
}

func lookup(v any, path string) (any, bool) {
	for part := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			next, ok := in[part]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(in) {
				return nil, false
			}
			v = in[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// text is the text at a path, without which the case stops.
func (a *answer) text(path string) string {
	s, ok := a.value(path).(string)
	if !ok || s == "" {
		a.t.stop("a text at "+path, a.String())
	}
	return s
}

// list is the list at a path, without which the case stops.
func (a *answer) list(path string) []any {
	l, ok := a.value(path).([]any)
	if !ok {
		a.t.stop("a list at "+path, a.String())
	}
	return l
}

// has checks the value at a path; numbers compare as numbers.
func (a *answer) has(path string, want any) *answer {
	seen := a.value(path)
	if f, ok := asFloat(want); ok {
		want = f
	}
	a.t.check(reflect.DeepEqual(seen, want), path+" = "+show(want), seen)
	return a
}

func asFloat(v any) (float64, bool) {
	i, ok := v.(int)
	return float64(i), ok
}

// holds checks that there is a member at each path, if only null.
func (a *answer) holds(paths ...string) *answer {
	for _, p := range paths {
		_, ok := lookup(a.body, p)
		a.t.check(ok, "a member "+p, a.String())
	}
	return a
}

// matches checks a text by a regular expression.
func (a *answer) matches(path, pattern string) *answer {
	s, ok := a.value(path).(string)
	a.t.check(ok && regexp.MustCompile(pattern).MatchString(s), path+" like "+pattern, a.value(path))
	return a
}

// under collects what lies at a path within each element of a list.
func (a *answer) under(list, path string) []any {
	var found []any
	for _, e := range a.list(list) {
		v, _ := lookup(e, path)
		found = append(found, v)
	}
	return found
}
