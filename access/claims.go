package access

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
)

// everywhere, as the only workspace of a claim, stands for all.
const everywhere = "*"

// claims are those of a token, by name.
type claims map[string]json.RawMessage

// early says whether a token is not good yet.
func (c claims) early(now time.Time) bool {
	var seconds float64
	if json.Unmarshal(c["nbf"], &seconds) != nil {
		return false
	}
	return now.Add(clockSkew).Before(time.Unix(int64(seconds), 0))
}

// identity is what the claims say of a subject. Scopes that are not ours are
// passed over: issuers keep those of many servers in one claim.
func (c claims) identity(config IssuerConfig, subject string, until time.Time) slipway.Identity {
	i := slipway.Identity{Subject: subject, Scopes: config.DefaultScopes, Workspaces: config.DefaultWorkspaces, Until: until}
	if words, ok := c.words(config.ScopesClaim); ok {
		i.Scopes = nil
		for _, word := range words {
			if s, err := slipway.ParseScopes([]string{word}); err == nil {
				i.Scopes = append(i.Scopes, s...)
			}
		}
	}
	if words, ok := c.words(config.WorkspacesClaim); ok {
		i.Workspaces = nil
		i.Everywhere = len(words) == 1 && words[0] == everywhere
		for _, word := range words {
			if word != everywhere {
				i.Workspaces = append(i.Workspaces, slipway.WorkspaceID(strings.ToLower(word)))
			}
		}
	}
	return i
}

// words reads a claim that is a list of texts, or one text with spaces between.
// One of another kind grants nothing.
func (c claims) words(name string) ([]string, bool) {
	raw, ok := c[name]
	if !ok {
		return nil, false
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list, true
	}
	var text string
	_ = json.Unmarshal(raw, &text)
	return strings.Fields(text), true
}
