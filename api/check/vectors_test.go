package check_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api"
	"github.com/slipwayhq/slipway/api/check"
)

// vector is one recorded request and what the contract's server says of it.
type vector struct {
	Schema string          `json:"schema"`
	Body   string          `json:"body"`
	Method string          `json:"method"`
	Path   string          `json:"path"`
	In     string          `json:"in"`
	Name   string          `json:"name"`
	Value  string          `json:"value"`
	At     string          `json:"at"`
	Want   json.RawMessage `json:"want"`
}

// bodies names the operation that reads each schema.
var bodies = map[string]string{
	"AuthAuthenticateRequest":    "POST /v2/auth/authenticate",
	"DeploymentCreateRequest":    "POST /v2/deployments",
	"DeploymentPatchRequest":     "PATCH /v2/deployments/{deployment_id}",
	"ListenerCreateRequest":      "POST /v2/listeners",
	"ListenerPatchRequest":       "PATCH /v2/listeners/{listener_id}",
	"OAuthProviderCreateRequest": "POST /v2/auth/providers",
	"":                           "POST /v2/deployments",
}

func TestVectorsOfBodies(t *testing.T) {
	for _, name := range []string{
		"AuthAuthenticateRequest", "DeploymentCreateRequest", "DeploymentPatchRequest", "ListenerCreateRequest",
		"ListenerPatchRequest", "OAuthProviderCreateRequest", "malformed-json", "edges",
	} {
		t.Run(name, func(t *testing.T) {
			eachVector(t, name, func(set *check.Set, v vector) {
				op := set.Route(bodies[v.Schema])
				canonical, details := op.Body([]byte(v.Body))
				compare(t, v.Body, details, v.Want)
				if details == nil && !json.Valid(canonical) {
					t.Errorf("%s: canonical form %s is not JSON", v.Body, canonical)
				}
			})
		})
	}
}

func TestVectorsOfParameters(t *testing.T) {
	eachVector(t, "parameters", func(set *check.Set, v vector) {
		op := set.Route(strings.ToUpper(v.Method) + " " + v.Path)
		var details []check.Detail
		if v.In == "path" {
			_, details = op.Path(v.Name, v.Value)
		} else {
			_, details = op.Query(url.Values{v.Name: {v.Value}})
			details = about(details, v.Name)
		}
		compare(t, v.Name+"="+v.Value, details, v.Want)
	})
}

// about leaves out the faults of other parameters, which a vector does not send.
func about(details []check.Detail, name string) []check.Detail {
	var out []check.Detail
	for _, d := range details {
		if d.Loc[1] == name {
			out = append(out, d)
		}
	}
	return out
}

// eachVector tries each against the document that is served.
func eachVector(t *testing.T, name string, try func(*check.Set, vector)) {
	t.Helper()
	set := ours(t)
	eachLine(t, name, func(v vector) { try(set, v) })
}

func eachLine(t *testing.T, name string, try func(vector)) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(unzip(t, name+".jsonl.gz")))
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		try(v)
		n++
	}
	if lines.Err() != nil || n == 0 {
		t.Fatalf("%s: %d vectors, then %v", name, n, lines.Err())
	}
}

func ours(t testing.TB) *check.Set { return compile(t, api.Document) }

func compile(t testing.TB, doc []byte) *check.Set {
	t.Helper()
	set, err := check.Compile(doc)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func unzip(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// compare holds details to the wanted ones: the same values, and numbers in the same spelling.
func compare(t *testing.T, request string, details []check.Detail, want []byte) {
	t.Helper()
	got, err := json.Marshal(details)
	if err != nil {
		t.Fatal(err)
	}
	if details == nil {
		got = []byte("[]")
	}
	if !reflect.DeepEqual(tree(t, got), tree(t, want)) {
		t.Errorf("%s:\n got %s\nwant %s", request, got, want)
	}
}

func tree(t *testing.T, raw []byte) (v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return v
}
