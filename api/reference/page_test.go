package reference_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api"
	"github.com/slipwayhq/slipway/api/reference"
)

func render(t *testing.T, document []byte) string {
	t.Helper()
	page, err := reference.Render(document)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestEverythingIsOnThePage(t *testing.T) {
	page := render(t, api.Document)
	var d struct {
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal(api.Document, &d); err != nil {
		t.Fatal(err)
	}
	for path, methods := range d.Paths {
		for method, op := range methods {
			if !strings.Contains(page, `id="`+op.OperationID+`"`) {
				t.Errorf("%s %s is missing", method, path)
			}
		}
	}
	for name, s := range d.Components.Schemas {
		if !strings.Contains(page, `id="schema-`+name+`"`) {
			t.Errorf("schema %s is missing", name)
		}
		for property := range s.Properties {
			if !strings.Contains(page, "<code>"+property+"</code>") {
				t.Errorf("%s.%s is missing", name, property)
			}
		}
	}
}

func TestEveryLinkLeadsSomewhereOnThePage(t *testing.T) {
	page := render(t, api.Document)
	links := regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(links) < 100 {
		t.Fatalf("only %d links", len(links))
	}
	for _, link := range links {
		anchor, inside := strings.CutPrefix(link[1], "#")
		if inside && !strings.Contains(page, `id="`+anchor+`"`) || !inside && link[1] != "openapi.json" {
			t.Errorf("%s leads nowhere", link[1])
		}
	}
}

func TestPageLoadsNothing(t *testing.T) {
	page := render(t, api.Document)
	for _, bad := range []string{"<script", "<link", "<img", "<iframe", "src=", "@import", "url(", `href="http`, `href="//`} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %s", bad)
		}
	}
}

func TestMarks(t *testing.T) {
	page := render(t, api.Document)
	section := func(id string) string {
		_, rest, _ := strings.Cut(page, `<section id="`+id)
		found, _, _ := strings.Cut(rest, "</section>")
		return found
	}
	for id, wants := range map[string][]string{
		"list_deployments_v2": {"scope read", "1 to 100; default 20", "dev_free | dev | prod | dev_zero", "query", "#schema-DeploymentsList"},
		"create_api_key":      {"extension", "scope admin", "1 to 100 characters", "list of read | deploy", "date-time or null", "required", "Idempotency-Key"},
		"list_oauth_tokens":   {"planned: answers 501", "list of", "#schema-OAuthTokenSummary"},
		"schema-Listener\"":   {"always k8s"},
		"get_deployment_v2":   {"ETag"},
	} {
		for _, want := range wants {
			if !strings.Contains(section(id), want) {
				t.Errorf("%s lacks %q: %s", id, want, section(id))
			}
		}
	}
	if strings.Contains(section("list_deployments_v2"), "planned") {
		t.Error("what is served is marked as planned")
	}
}

func TestWordsOfTheDocumentAreEscaped(t *testing.T) {
	const bad = `</style><script>alert(1)</script>`
	document := bytes.ReplaceAll(api.Document, []byte(`"summary": "List deployments"`), []byte(`"summary": "`+bad+`"`))
	if page := render(t, document); strings.Contains(page, "<script") {
		t.Error("a summary is not escaped")
	}
	if _, err := reference.Render([]byte(`{"paths": []}`)); err == nil {
		t.Error("a broken document was rendered")
	}
}
