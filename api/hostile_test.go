package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api"
)

func TestHostilePaths(t *testing.T) {
	h := newHandler(t, &control{})
	for path, want := range map[string]int{
		"/v2/deployments/..%2F" + someID:             404,
		"/v2/deployments/%2e%2e":                     404,
		"/v2/deployments/%2e":                        404,
		"/v2/deployments/%2E%2E%2Fv2%2Fdeployments":  404,
		"/v2/deployments/a%2F%2e%2e%2Fb":             404,
		"/v2/deployments/../deployments":             404,
		"/v2/deployments/%2F":                        404,
		"/v2/deployments//":                          404,
		"/v2/deployments/" + someID + "/":            404,
		"/v2/deployments/" + someID + "%2Frevisions": 422,
		"/v2/deployments/a%2Fb":                      422,
		"/v2/deployments/a%5C..%5Cb":                 422,
		"/v2/deployments/%00":                        422,
		"/v2/deployments/%ff%fe":                     422,
		"/v2/deployments/%ed%a0%80":                  422,
		"/v2/deployments/" + someID + "%00":          422,
		"/v2/deployments/" + someID + "%20":          422,
		"/v2/deployments/" + someID + ";x=1":         422,
		"/v2%2Fdeployments":                          404,
		"/V2/deployments":                            404,
		"/api-host/api-host/v2/deployments":          404,
		"/uploads/..%2F..%2Fkey?expires=9":           404,
		"/uploads/%00?expires=x":                     405,
	} {
		w := call(h, "GET", path, "", "X-Api-Key", "all")
		if w.Code != want || !json.Valid(w.Body.Bytes()) || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
}

func TestUnknownMethods(t *testing.T) {
	h := newHandler(t, &control{})
	for _, route := range h.Routes() {
		_, path, _ := strings.Cut(route.Pattern, " ")
		path = strings.NewReplacer("{", "", "}", "").Replace(path)
		for _, method := range []string{"TRACE", "PROPFIND", "BREW", "get"} {
			w := call(h, method, path, "", "X-Api-Key", "all")
			allowed := strings.Split(w.Header().Get("Allow"), ", ")
			served, _, _ := strings.Cut(route.Pattern, " ")
			if w.Code != 405 || !slices.Contains(allowed, served) || w.Body.String() != `{"detail":"Method Not Allowed"}` {
				t.Errorf("%s %s: %d %v %s", method, path, w.Code, allowed, w.Body)
			}
		}
	}
}

func TestHostileBodies(t *testing.T) {
	h := newHandler(t, &control{})
	for name, c := range map[string]struct {
		body, kind string
		status     int
		want       string
	}{
		"last of two keys wins":   {`{"display_name":"","display_name":"b","secrets":3,"secrets":[]}`, "", 200, ""},
		"first of two was good":   {`{"display_name":"a","display_name":""}`, "", 422, "string_too_short"},
		"null byte":               {`{"display_name":"a\u0000b"}`, "", 200, ""},
		"raw null byte":           {"{\"display_name\":\"a\x00b\"}", "", 422, "Invalid control character at"},
		"lone surrogate":          {`{"display_name":"\ud800"}`, "", 422, "string_unicode"},
		"lone surrogate in a key": {`{"\udfff":1}`, "", 200, ""},
		"pair of surrogates":      {`{"display_name":"\ud83d\ude00"}`, "", 200, ""},
		"not UTF-8":               {"{\"display_name\":\"\xff\"}", "", 422, "json_invalid"},
		"mark of byte order":      {"\ufeff{}", "", 200, ""},
		"deep lists":              {strings.Repeat("[", 1<<20), "", 422, "json_invalid"},
		"deep dicts":              {strings.Repeat(`{"a":`, 1<<18), "", 422, "json_invalid"},
		"deep below a known key":  {`{"secrets":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, "", 422, "json_invalid"},
		"many values":             {"[" + strings.Repeat("0,", 3<<20) + "0]", "", 422, "json_invalid"},
		"a number without an end": {`{"x":` + strings.Repeat("9", 1<<20) + `}`, "", 422, "json_invalid"},
		"NaN":                     {`{"source_config":{"resource_spec":{"cpu":NaN}}}`, "", 422, "less_than_equal"},
		"a form":                  {`display_name=a`, "application/x-www-form-urlencoded", 422, "model_attributes_type"},
		"a text":                  {`{}`, "text/plain", 422, "model_attributes_type"},
		"a strange type":          {`{}`, ";;;", 422, "model_attributes_type"},
		"too large":               {`"` + strings.Repeat("x", 10_000_000) + `"`, "", 413, `"detail":"The request body is larger than 8 MiB."`},
		"too large, no JSON":      {strings.Repeat("x", 10_000_000), "text/plain", 413, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := call(h, "PATCH", "/v2/deployments/"+someID, c.body, "X-Api-Key", "all", "Content-Type", c.kind)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%d %.300s, want %d %s", w.Code, w.Body, c.status, c.want)
			}
		})
	}
}

// What is malformed is answered as recorded by the handler as a whole, too.
func TestMalformedJSONIsAnsweredAsRecorded(t *testing.T) {
	f, err := os.Open("check/testdata/malformed-json.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	h := newHandler(t, &control{})
	n := 0
	for lines := bufio.NewScanner(z); lines.Scan(); n++ {
		var v struct {
			Body string
			Want any
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		w := call(h, "POST", "/v2/deployments", v.Body, "X-Api-Key", "all")
		var got struct{ Detail any }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 422 || !reflect.DeepEqual(got.Detail, v.Want) {
			t.Errorf("%q: %d %s, want %v", v.Body, w.Code, w.Body, v.Want)
		}
	}
	if n != 24 {
		t.Errorf("%d recorded requests", n)
	}
}

// Whatever is sent, the answer is JSON, no redirect and no fault of ours; and
// what the checks let through, the generated code can read.
func FuzzHandler(f *testing.F) {
	h := newHandler(f, &control{})
	routes := h.Routes()
	find := func(pattern string) uint16 {
		return uint16(slices.IndexFunc(routes, func(r api.Route) bool { return r.Pattern == pattern }))
	}
	f.Add(find("POST /v2/deployments"), someID, "limit=1", "application/json", "k", []byte(createBody))
	f.Add(find("PATCH /api-host/v2/deployments/{deployment_id}"), someID, "", "", "", []byte(`{"secrets":[{"name":"a","value":"b"}],"display_name":"x"}`))
	f.Add(find("GET /v2/deployments"), "..", "limit=%ff&offset=9e9&remote_reconciled=on&deployment_ids=a,b;c", "", "", []byte(nil))
	f.Add(find("DELETE /v2/deployments"), "", "deployment_ids="+someID+"&deployment_ids=x", "", "", []byte("{"))
	f.Add(find("GET /v2/deployment-logs"), "%2e%2e", "deployment_id="+someID+"&page_size=-1&start_time=2026&cursor=1e3", "text/plain", "", []byte("\x00"))
	f.Add(find("POST /v1/projects/{project_id}/deploy_logs"), "{"+someID+"}", "", "x/y+json", "", []byte(`{"limit":1e400,"start_time":"0000-00-00"}`))
	f.Add(find("POST /v1/api-keys"), "", "", "", "é", []byte(`{"name":"k","scopes":["admin"],"expires_at":1e10,"organization":"t"}`))
	f.Add(find("PUT /uploads/{upload_id}"), otherID, "expires=9999999999&signature=upload-"+otherID+"-9999999999", "", "", []byte("x"))
	f.Fuzz(func(t *testing.T, route uint16, id, query, kind, key string, body []byte) {
		method, path, _ := strings.Cut(routes[int(route)%len(routes)].Pattern, " ")
		r := httptest.NewRequest(method, "/", bytes.NewReader(body))
		r.URL = &url.URL{Path: fill(path, id), RawPath: fill(path, url.PathEscape(id)), RawQuery: query}
		r.Header = http.Header{"X-Api-Key": {"all"}, "Content-Type": {kind}, "Idempotency-Key": {key}, "If-Match": {key, id}, "Last-Event-Id": {key}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 500 || w.Code/100 == 3 || strings.Contains(w.Body.String(), "could not be read") {
			t.Errorf("%s %s?%s %q: %d %s", method, r.URL, query, body, w.Code, w.Body)
		}
		if w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: %q is not JSON", method, r.URL, w.Body)
		}
	})
}

// fill puts a value in place of each parameter of a pattern.
func fill(pattern, value string) string {
	parts := strings.Split(pattern, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = value
		}
	}
	return strings.Join(parts, "/")
}
