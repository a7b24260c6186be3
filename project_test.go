package slipway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

func TestProjectNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"echo": true, "My project / 1": true, "projét ✈": true, strings.Repeat("é", 500): true,
		"": false, "  ": false, "a\nb": false, "a\x00": false, "\xff": false, strings.Repeat("a", 501): false,
	} {
		if err := slipway.CheckProjectName(name); (err == nil) != ok {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

func TestAPatchOfAProject(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.FixedZone("", 3600))
	p := slipway.TracingProject{Name: "echo", Description: "what", Extra: `{"a":1}`}
	if err := p.Apply(slipway.ProjectPatch{}); err != nil || p.Name != "echo" || p.Description != "what" || p.Extra != `{"a":1}` || !p.EndedAt.IsZero() {
		t.Errorf("nothing changed: %+v, %v", p, err)
	}
	if err := p.Apply(slipway.ProjectPatch{Name: new("other"), Description: new(""), Extra: new(`{}`), EndedAt: &at}); err != nil ||
		p.Name != "other" || p.Description != "" || p.Extra != `{}` || p.EndedAt != time.Date(2026, 1, 2, 2, 4, 5, 6000, time.UTC) {
		t.Errorf("all changed: %+v, %v", p, err)
	}
	for name, c := range map[string]slipway.ProjectPatch{
		"name":               {Name: new("")},
		"a long description": {Description: new(strings.Repeat("a", 10_001))},
		"no text":            {Description: new("\xff")},
		"no JSON":            {Extra: new("{")},
		"no object":          {Extra: new("[]")},
		"a large extra":      {Extra: new(`{"a":"` + strings.Repeat("a", 64<<10) + `"}`)},
	} {
		changed := p
		if err := changed.Apply(c); slipway.CodeOf(err) != slipway.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
