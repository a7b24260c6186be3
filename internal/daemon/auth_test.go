package daemon_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/daemon"
)

// An Agent Server learns by the credentials of its client who that is, wherever
// its version asks, and for which workspace the key is used.
func TestWhoseKeyItIs(t *testing.T) {
	c := config(t.TempDir())
	s, err := daemon.Start(t.Context(), c)
	must(t, err)
	defer s.Stop()
	key := func(n slipway.NewKey) (token string) {
		n.Name = "k"
		must(t, daemon.NewAdminKey(t.Context(), c.Data, "", n, func(made string) error { token = made; return nil }))
		return token
	}
	workspace := key(slipway.NewKey{Scopes: []slipway.Scope{slipway.ScopeRead}})
	organisation := key(slipway.NewKey{Organisation: true})
	rightless := key(slipway.NewKey{Scopes: []slipway.Scope{slipway.ScopeDelete}})
	ask := func(path string, headers ...string) (int, map[string]any) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, nil)
		must(t, err)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		defer answer.Body.Close()
		var said map[string]any
		must(t, json.NewDecoder(answer.Body).Decode(&said))
		return answer.StatusCode, said
	}
	_, said := ask("/auth/public", "X-Api-Key", workspace)
	home, _ := said["tenant_id"].(string)
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"of the workspace":               {[]string{"X-Api-Key", workspace}, 200},
		"as a bearer":                    {[]string{"Authorization", "Bearer " + workspace}, 200},
		"named":                          {[]string{"X-Api-Key", workspace, "X-Tenant-Id", home}, 200},
		"of another workspace":           {[]string{"X-Api-Key", workspace, "X-Tenant-Id", "01890a5d-ac96-774b-bcce-b302099a8057"}, 403},
		"of the organisation":            {[]string{"X-Api-Key", organisation, "X-Tenant-Id", home}, 200},
		"of the organisation, for which": {[]string{"X-Api-Key", organisation}, 403},
		"without the right":              {[]string{"X-Api-Key", rightless}, 403},
		"nobody's":                       {[]string{"X-Api-Key", slipway.NewToken()}, 401},
		"none":                           {nil, 401},
	} {
		for _, prefix := range []string{"", "/api", "/api/v1", "/v1"} {
			for _, path := range []string{"/auth/public", "/auth/verify"} {
				status, said := ask(prefix+path, c.headers...)
				if status != c.status || status == 200 && (said["tenant_id"] != home || said["organization_id"] != home || said["user_id"] == "") {
					t.Errorf("%s, %s: %d %v", name, prefix+path, status, said)
				}
			}
		}
	}
}
