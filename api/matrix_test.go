package api_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/access"
	"github.com/slipwayhq/slipway/api"
	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/internal/sqlitetest"
	"github.com/slipwayhq/slipway/registry"
	"github.com/slipwayhq/slipway/secret"
	"github.com/slipwayhq/slipway/service"
)

// every scope there is.
var everyScope = []slipway.Scope{slipway.ScopeRead, slipway.ScopeDeploy, slipway.ScopeDelete, slipway.ScopeAdmin, slipway.ScopeSecretsRead}

// matrix is an installation with real keys: for each scope one that has it alone,
// of a workspace that is not the first, and one of the organisation.
type matrix struct {
	t       *testing.T
	service *service.Service
	keys    *access.Authority
	own     slipway.WorkspaceID
	other   slipway.WorkspaceID // whose objects nobody but the organisation may reach
	tokens  map[string]string   // by kind and scope
	targets []target            // what is the other workspace's
}

// target is an object of the other workspace, and the paths that it is named in.
type target struct{ prefix, id, second string }

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	store := sqlitetest.Open(t)
	blobs, err := blob.OpenFolder(t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, blobs.Close()) })
	ring, err := secret.NewKeyring(make([]byte, 32))
	must(t, err)
	images, err := registry.Open(t.TempDir(), registry.Config{Signer: ring})
	must(t, err)
	t.Cleanup(func() { must(t, images.Close()) })
	m := &matrix{t: t, tokens: map[string]string{}}
	m.keys = access.New(store, access.Config{Now: time.Now})
	m.service = service.New(store, blobs, images, ring, service.Config{Forget: m.keys.Forget, URL: func(slug string) string { return slug }, Undo: time.Hour})
	must(t, m.service.Bootstrap(t.Context(), func(string) error { return nil }))
	root := slipway.Principal{Organisation: true, Scopes: everyScope}
	m.own, m.other = m.workspace(root, "own"), m.workspace(root, "other")
	for _, scope := range everyScope {
		m.tokens["own "+string(scope)] = m.key(root, slipway.NewKey{Workspace: m.own, Scopes: []slipway.Scope{scope}})
		m.tokens["organisation "+string(scope)] = m.key(root, slipway.NewKey{Organisation: true, Scopes: []slipway.Scope{scope}})
	}
	m.fill(root)
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *matrix) workspace(who slipway.Principal, name string) slipway.WorkspaceID {
	m.t.Helper()
	w, err := m.service.CreateWorkspace(m.t.Context(), who, name)
	must(m.t, err)
	return w.ID
}

func (m *matrix) key(who slipway.Principal, n slipway.NewKey) string {
	m.t.Helper()
	n.Name = "k"
	_, token, err := m.service.CreateKey(m.t.Context(), who, n)
	must(m.t, err)
	return token
}

// fill makes what the other workspace has.
func (m *matrix) fill(root slipway.Principal) {
	m.t.Helper()
	root.Workspace = m.other
	d, err := m.service.Create(m.t.Context(), root, slipway.NewDeployment{
		Name: "theirs", Source: slipway.SourceExternalDocker, Revision: slipway.RevisionConfig{ImageURI: "registry.test/theirs:1"},
		Variables: []slipway.EnvVar{{Name: "TOKEN", Value: "theirs"}},
	})
	must(m.t, err)
	deleted := string(m.deleted(root))
	k, _, err := m.service.CreateKey(m.t.Context(), root, slipway.NewKey{Name: "theirs"})
	must(m.t, err)
	l, err := m.service.CreateListener(m.t.Context(), root, slipway.Listener{ComputeType: "k8s", ComputeID: "theirs"})
	must(m.t, err)
	m.targets = []target{
		{"/v2/deployments/" + someID + "/restore", deleted, ""},
		{"/v1/deleted-deployments/", deleted, ""},
		{"/v1/deletions/", deleted, ""},
		{"/v2/deployments", string(d.ID), string(d.Latest)},
		{"/v2/deployment-logs", string(d.ID), string(d.Latest)},
		{"/v1/projects/", string(d.ID), string(d.Latest)},
		{"/v1/workspaces/", string(m.other), ""},
		{"/v1/api-keys/", string(k.ID), ""},
		{"/v2/listeners/", string(l.ID), ""},
	}
}

// deleted makes a deployment that can be restored.
func (m *matrix) deleted(who slipway.Principal) slipway.DeploymentID {
	m.t.Helper()
	d, err := m.service.Create(m.t.Context(), who, slipway.NewDeployment{
		Name: "theirs-deleted", Source: slipway.SourceExternalDocker, Revision: slipway.RevisionConfig{ImageURI: "registry.test/theirs:1"},
	})
	must(m.t, err)
	must(m.t, m.service.Delete(m.t.Context(), who, d.ID, slipway.DeleteOptions{}))
	if r, err := m.service.DeletionReceipt(m.t.Context(), who, d.ID); err != nil || r.State != slipway.DeletionKept {
		m.t.Fatalf("it is not kept: %+v, %v", r, err)
	}
	return d.ID
}

// theirs is a request that names the other workspace's objects, and whether it
// names any.
func (m *matrix) theirs(r request) (request, bool) {
	m.t.Helper()
	if !strings.Contains(r.path, someID) {
		return r, false
	}
	for _, target := range m.targets {
		if strings.HasPrefix(r.path, target.prefix) {
			r.path = strings.NewReplacer(someID, target.id, otherID, target.second).Replace(r.path)
			return r, true
		}
	}
	m.t.Fatalf("%s %s names something that the other workspace has none of", r.method, r.path)
	return r, false
}

func (m *matrix) serve(c api.Control) *httptest.Server {
	m.t.Helper()
	s := httptest.NewServer(newConfigured(m.t, api.Config{Control: c, Keys: m.keys}))
	m.t.Cleanup(s.Close)
	return s
}

// target is what is named in the paths of a prefix.
func (m *matrix) target(prefix string) target {
	return m.targets[slices.IndexFunc(m.targets, func(t target) bool { return t.prefix == prefix })]
}

// declared is what the document says of the operation that a request is for.
func declared(t *testing.T, d document, r request) operation {
	t.Helper()
	path, _, _ := strings.Cut(r.path, "?")
	got := strings.Split(path, "/")
	var best operation
	literal := -1 // the path with the most literal parts is meant
	for template, methods := range d.Paths {
		op, ok := methods[strings.ToLower(r.method)]
		if n := matches(strings.Split(template, "/"), got); ok && n > literal {
			best, literal = op, n
		}
	}
	if literal < 0 {
		t.Fatalf("%s %s is not in the document", r.method, r.path)
	}
	return best
}

// matches counts the literal parts of a template that fits, -1 if it does not.
func matches(template, path []string) int {
	if len(template) != len(path) {
		return -1
	}
	n := 0
	for i, part := range template {
		switch {
		case part == path[i]:
			n++
		case !strings.HasPrefix(part, "{"):
			return -1
		}
	}
	return n
}

const orgScoped = `{"detail":"This API key is org-scoped and requires workspace specification. Please provide 'X-Tenant-ID' header.","error":"org_scoped_key_requires_workspace"}`

// Every operation lets pass who has the scope that the document names, in a
// workspace of theirs, and nobody else. The control behind it says yes to all.
func TestMatrixOfScopes(t *testing.T) {
	m, document := newMatrix(t), read(t, api.Document)
	s := m.serve(&control{events: gone})
	for _, r := range slices.Concat(operations, planned(t)) {
		op := declared(t, document, r)
		for _, scope := range everyScope {
			allowed := r.status
			if scope != op.Scope {
				allowed = 403
			}
			free := allowed // for a key of the organisation that names no workspace
			if op.Workspace != "optional" {
				free = 403
			}
			own, organisation := m.tokens["own "+string(scope)], m.tokens["organisation "+string(scope)]
			for _, c := range []struct {
				name, token, tenant string
				want                int
			}{
				{"own", own, "", allowed},
				{"own, named", own, strings.ToUpper(string(m.own)), allowed},
				{"own, another named", own, string(m.other), 403},
				{"own, nonsense named", own, "x", 403},
				{"organisation", organisation, "", free},
				{"organisation, named", organisation, string(m.other), allowed},
				{"organisation, nobody's named", organisation, someID, 403},
			} {
				name := fmt.Sprintf("%s %s, scope %s, %s", r.method, r.path, scope, c.name)
				headers := []string{}
				if c.tenant != "" {
					headers = []string{"x-tenant-id", c.tenant}
				}
				status, _, body := ask(t, s, r.method, r.path, c.token, r.body, headers...)
				if status != c.want {
					t.Errorf("%s: %d %s, want %d", name, status, body, c.want)
				}
				if c.name == "organisation" && op.Workspace != "optional" && body != orgScoped {
					t.Errorf("%s: %s", name, body)
				}
			}
		}
	}
}

// What is another workspace's is not there, whatever is asked of it: 404, and
// 403 where the scope is missing, which is seen first.
func TestMatrixOfWorkspaces(t *testing.T) {
	m, document := newMatrix(t), read(t, api.Document)
	s := m.serve(m.service)
	for _, r := range operations {
		op := declared(t, document, r)
		theirs, named := m.theirs(r)
		for _, scope := range everyScope {
			for _, c := range []struct {
				kind   string
				tenant string
			}{{"own", ""}, {"own", string(m.own)}, {"organisation", string(m.own)}} {
				if c.kind == "organisation" && op.Workspace == "optional" {
					continue // all workspaces and keys are its own
				}
				name := fmt.Sprintf("%s %s, scope %s, %s", r.method, r.path, scope, c.kind)
				headers := []string{}
				if c.tenant != "" {
					headers = []string{"X-Tenant-Id", c.tenant}
				}
				status, _, body := ask(t, s, theirs.method, theirs.path, m.tokens[c.kind+" "+string(scope)], theirs.body, headers...)
				switch {
				case scope != op.Scope:
					if status != 403 {
						t.Errorf("%s: %d %s, want 403", name, status, body)
					}
				case named && r.status != 501 && status != 404:
					t.Errorf("%s: %d %s, want 404", name, status, body)
				case strings.Contains(body, "theirs") || !named && strings.Contains(body, string(m.other)):
					t.Errorf("%s: shows what is another's: %s", name, body)
				}
			}
		}
	}
	root := slipway.Principal{Workspace: m.other, Organisation: true, Scopes: slipway.DefaultScopes()}
	if d, err := m.service.Get(t.Context(), root, slipway.DeploymentID(m.target("/v2/deployments").id)); err != nil || d.Deleting() || d.Newest.ID != slipway.RevisionID(m.target("/v2/deployments").second) {
		t.Errorf("afterwards: %+v, %v", d, err)
	}
	for _, prefix := range []string{"/v2/deployments/" + someID + "/restore", "/v1/deleted-deployments/", "/v1/deletions/"} {
		if r, err := m.service.DeletionReceipt(t.Context(), root, slipway.DeploymentID(m.target(prefix).id)); err != nil || r.State != slipway.DeletionKept {
			t.Errorf("afterwards: %+v, %v", r, err)
		}
	}
	if k, err := m.service.GetKey(t.Context(), root, slipway.KeyID(m.target("/v1/api-keys/").id)); err != nil || !k.RevokedAt.IsZero() {
		t.Errorf("afterwards: %+v, %v", k, err)
	}
}
