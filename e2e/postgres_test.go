package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/internal/postgrestest"
)

// A server on PostgreSQL keeps in its folder what is not rows. Killed where it
// stands, it finds its deployments and adopts their agents.
func TestOnPostgreSQL(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--database-url", postgrestest.Empty(t))
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	before := mains(s.data)
	s.kill()
	s.start()
	if status, body, err := d.get("/ok"); err != nil || status != http.StatusOK {
		t.Errorf("the adopted agent: %d %s %v", status, body, err)
	}
	if now := mains(s.data); len(before) != 1 || fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("agents %v, were %v", now, before)
	}
	found, err := s.Deployments(t.Context(), client.Filter{})
	if err != nil || len(found) != 1 || found[0].ID != d.id {
		t.Errorf("deployments: %v, %v", found, err)
	}
	if _, err := os.Stat(filepath.Join(s.data, "slipway.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a database in the folder: %v", err)
	}
	must(t, s.DeleteDeployment(t.Context(), d.id, client.DeleteOptions{}))
	eventually(t, "the deployment is gone", func() bool {
		_, err := s.Deployment(t.Context(), d.id)
		return client.IsNotFound(err)
	})
	if now := mains(s.data); len(now) > 0 {
		t.Errorf("agents %v after the deletion", now)
	}
}
