package database_test

import (
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/database"
)

func TestParseGiven(t *testing.T) {
	for name, c := range map[string]struct{ admin, agents, contained, forAgents, forContainers string }{
		"as it is":            {"postgres://me:s3cret@db.example:5433/postgres", "", "", "postgresql://db.example:5433?", "postgresql://db.example:5433?"},
		"encrypted":           {"postgres://me:s3cret@db.example/x?sslmode=require", "", "", "postgresql://db.example?sslmode=require", "postgresql://db.example?sslmode=require"},
		"authorities of ours": {"postgres://me@db.example/x?sslmode=verify-full&connect_timeout=3", "", "", "postgresql://db.example?sslmode=require", "postgresql://db.example?sslmode=require"},
		"elsewhere":           {"postgres://me:s3cret@127.0.0.1/x", "db.example:6432", "", "postgresql://db.example:6432?", "postgresql://db.example:6432?"},
		"this machine alone":  {"postgres://me@127.0.0.1:5432/x", "", "", "postgresql://127.0.0.1:5432?", ""},
		"by its name":         {"postgres://me@localhost:5432/x", "", "", "postgresql://localhost:5432?", ""},
		"a bridge":            {"postgres://me@127.0.0.1:5432/x", "", "172.17.0.1:5432", "postgresql://127.0.0.1:5432?", "postgresql://172.17.0.1:5432?"},
		"a socket":            {"postgres://me@/x?host=/run/postgresql", "", "", "postgresql:?host=%2Frun%2Fpostgresql", ""},
		"a socket and a port": {"postgres://me@/x?host=/run/postgresql", "[::1]:5432", "10.0.0.1:5432", "postgresql://[::1]:5432?", "postgresql://10.0.0.1:5432?"},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := database.ParseGiven(c.admin, c.agents, c.contained)
			if err != nil {
				t.Fatal(err)
			}
			e, _ := g.Endpoint(t.Context(), true)
			if got := e.Agents.String(); got != c.forAgents && got != strings.TrimSuffix(c.forAgents, "?") {
				t.Errorf("agents are told %s, want %s", got, c.forAgents)
			}
			switch to, err := g.Contained(t.Context()); {
			case c.forContainers == "" && err == nil, c.forContainers != "" && (err != nil || strings.TrimSuffix(to.String(), "?") != strings.TrimSuffix(c.forContainers, "?")):
				t.Errorf("containers are told %v, %v; want %q", to, err, c.forContainers)
			}
		})
	}
}

func TestParseGivenRefuses(t *testing.T) {
	for name, c := range map[string]struct{ admin, agents, contained string }{
		"another scheme":   {"mysql://me:s3cret@db/x", "", ""},
		"no port":          {"postgres://me:s3cret@db:s3cret/x", "", ""},
		"bad escape":       {"postgres://me:s3cret%zz@db/x", "", ""},
		"bad setting":      {"postgres://me:s3cret@db/x?sslmode=maybe", "", ""},
		"agents' port":     {"postgres://me:s3cret@db/x", "db.example", ""},
		"agents' host":     {"postgres://me:s3cret@db/x", ":5432", ""},
		"containers' port": {"postgres://me:s3cret@db/x", "", "db:99999"},
		"an address":       {"postgres://me:s3cret@db/x", "", "postgres://db:5432"},
	} {
		_, err := database.ParseGiven(c.admin, c.agents, c.contained)
		if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "want ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
