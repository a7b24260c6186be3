package access_test

import (
	"errors"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/access"
)

func TestTheWorkspaceOfACall(t *testing.T) {
	s := newSetting(t, access.Config{})
	admin := func(k *slipway.Key) { k.Scopes = slipway.DefaultScopes() }
	tokens := map[string]string{
		"home":         s.key("home", admin),
		"other":        s.key("other", func(k *slipway.Key) { admin(k); k.Workspace = "v" }),
		"organisation": s.key("organisation", func(k *slipway.Key) { admin(k); k.Workspace = "" }),
	}
	for name, c := range map[string]struct {
		key, tenant string
		anywhere    bool
		want        slipway.Principal // its Workspace "" where text is set
		text        string
	}{
		"home":                        {"home", "", false, slipway.Principal{Workspace: "w", Home: true}, ""},
		"home, named":                 {"home", "W", false, slipway.Principal{Workspace: "w", Home: true}, ""},
		"home, another named":         {"home", "v", false, slipway.Principal{}, "This API key does not belong to workspace v."},
		"other":                       {"other", "", true, slipway.Principal{Workspace: "v"}, ""},
		"organisation":                {"organisation", "", false, slipway.Principal{}, "This API key is org-scoped"},
		"organisation, anywhere":      {"organisation", "", true, slipway.Principal{Organisation: true}, ""},
		"organisation, named":         {"organisation", "v", false, slipway.Principal{Workspace: "v", Organisation: true}, ""},
		"organisation, home named":    {"organisation", "w", true, slipway.Principal{Workspace: "w", Home: true, Organisation: true}, ""},
		"organisation, none such":     {"organisation", "x", false, slipway.Principal{}, "This API key does not belong to workspace x."},
		"organisation, none such any": {"organisation", "x", true, slipway.Principal{}, "This API key does not belong to workspace x."},
		"organisation, no text":       {"organisation", "\xff\xfe", false, slipway.Principal{}, "This API key does not belong to workspace"},
	} {
		p, err := s.Authenticate(t.Context(), slipway.Caller{Credential: slipway.Credential{Token: tokens[c.key]}, Tenant: c.tenant, Anywhere: c.anywhere})
		if c.text != "" {
			e, ok := errors.AsType[*slipway.Error](err)
			if !ok || e.Code != slipway.CodeForbidden || len(e.Text) < len(c.text) || e.Text[:len(c.text)] != c.text {
				t.Errorf("%s: %v, want %q", name, err, c.text)
			}
			continue
		}
		if err != nil || p.Workspace != c.want.Workspace || p.Home != c.want.Home || p.Organisation != c.want.Organisation || string(p.Key) != c.key {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestAWorkspaceThatIsGoneIsRefusedAtOnce(t *testing.T) {
	s := newSetting(t, access.Config{})
	token := s.key("organisation", func(k *slipway.Key) { k.Workspace = "" })
	ask := func() error {
		_, err := s.Authenticate(t.Context(), slipway.Caller{Credential: slipway.Credential{Token: token}, Tenant: "v"})
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	s.update(func(tx slipway.Tx) error { return tx.DeleteWorkspace("v") })
	s.Forget()
	if err := ask(); slipway.CodeOf(err) != slipway.CodeForbidden {
		t.Errorf("%v", err)
	}
}
