package conformance

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// vectors are requests with the exact detail that the contract's models give:
// for every schema and parameter, a few of each kind of fault.
//
//go:embed vectors.jsonl
var vectors []byte

type vector struct {
	Group  string `json:"group"`  // the case that it belongs to
	Schema string `json:"schema"` // of the body, "" for a parameter
	Body   string `json:"body"`
	Method string `json:"method"`
	Path   string `json:"path"`
	In     string `json:"in"`
	Name   string `json:"name"`
	Value  string `json:"value"`
	Want   any    `json:"want"`
}

// readers names the operation that reads each schema.
var readers = map[string][2]string{
	"DeploymentCreateRequest": {http.MethodPost, "/v2/deployments"},
	"DeploymentPatchRequest":  {http.MethodPatch, "/v2/deployments/" + nobody},
	"ListenerCreateRequest":   {http.MethodPost, "/v2/listeners"},
	"ListenerPatchRequest":    {http.MethodPatch, "/v2/listeners/" + nobody},
	"malformed":               {http.MethodPost, "/v2/deployments"},
}

func validationCases() []Case {
	var cases []Case
	groups := map[string][]vector{}
	var order []string
	for line := bufio.NewScanner(bytes.NewReader(vectors)); line.Scan(); {
		var v vector
		if err := json.Unmarshal(line.Bytes(), &v); err != nil {
			panic("vectors.jsonl: " + err.Error())
		}
		if !slices.Contains(order, v.Group) {
			order = append(order, v.Group)
		}
		groups[v.Group] = append(groups[v.Group], v)
	}
	for _, name := range order {
		cases = append(cases, fact("§1", name, func(t *T) {
			for _, v := range groups[name] {
				t.refuses(v)
			}
		}))
	}
	return cases
}

// refuses sends a vector and compares the detail, in order.
func (t *T) refuses(v vector) {
	var a *answer
	if v.Schema != "" {
		reader := readers[v.Schema]
		a = t.call(reader[0], reader[1], rawBody("application/json", []byte(v.Body)))
		t.last += " " + show(v.Body)
	} else {
		a = t.call(strings.ToUpper(v.Method), v.address(), rawBody("application/json", []byte("{}"))) // no fault of the body
	}
	a.is(http.StatusUnprocessableEntity)
	t.check(reflect.DeepEqual(a.value("detail"), v.Want), "detail "+show(v.Want), a.value("detail"))
}

var placeholder = regexp.MustCompile(`\{\w+\}`)

func (v vector) address() string {
	path := v.Path
	if v.In == "path" {
		path = strings.Replace(path, "{"+v.Name+"}", url.PathEscape(v.Value), 1)
	}
	path = placeholder.ReplaceAllString(path, nobody)
	if v.In == "query" {
		path += "?" + url.Values{v.Name: {v.Value}}.Encode()
	}
	return path
}
