package e2e_test

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
)

// aegra is where the caches are that the first test has left which needed Aegra.
var aegra struct {
	sync.Mutex
	cache string
}

// aegraServer starts a server on a folder where Aegra has been installed before, for
// the example: that takes longer than most of what tests do with it.
func aegraServer(t *testing.T, args ...string) *server {
	t.Helper()
	aegra.Lock()
	defer aegra.Unlock()
	if aegra.cache == "" {
		data := filepath.Join(scratch, "aegra")
		installAegra(t, serverOn(t, data))
		aegra.cache = filepath.Join(data, "cache")
	}
	return serverOn(t, linked(t, aegra.cache), args...)
}

// installAegra has the example built, and gives it up then: it has no database.
func installAegra(t *testing.T, s *server) {
	t.Helper()
	v, err := s.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{
		Name: "installed", Source: "internal_source", SourceConfig: wire.SourceConfigRequest{AgentServer: new("aegra")},
		Secrets: []wire.Secret{{Name: "POSTGRES_URI_CUSTOM", Value: "postgres://nobody@127.0.0.1:1/none"}},
	})
	must(t, err)
	d := s.made(v)
	r := d.push(pack(t, echoPy.dir, nil))
	eventually(t, "Aegra is installed", func() bool {
		r, err = s.Revision(t.Context(), d.id, r.ID)
		must(t, err)
		if r.Artefact == nil && strings.HasSuffix(r.Status, "FAILED") {
			t.Fatalf("revision is %s: %s", r.Status, deref(r.StatusMessage))
		}
		return r.Artefact != nil
	})
	d.purge()
	s.stop()
}
