package e2e_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	client "github.com/redis/go-redis/v9"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/internal/redistest"
)

// Aegra needs PostgreSQL, and its deployment has no settings for one: a database is
// made, is kept over revisions and a new password, is shared by two replicas, and
// goes with the deployment: of it, PostgreSQL and Redis have nothing afterwards.
func TestAegraOnADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	redis, final := redistest.Start(t), filepath.Join(t.TempDir(), "final")
	s := aegraServer(t, "--agent-redis-url", redis, "--rate-limit", "0", "--final-snapshots", final)
	servers := &databases{t: t, data: s.data, redis: redis}
	created, err := s.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{
		Name: echoPy.name, Source: "internal_source",
		SourceConfig: wire.SourceConfigRequest{
			AgentServer: new("aegra"), ResourceSpec: &wire.ResourceSpecInput{MinScale: new(2), MaxScale: new(2)},
		},
	})
	must(t, err)
	d := s.made(created)
	l, dir := s.langgraph(t), source(t, echoPy.dir, nil)
	l.deploys(s, dir, echoPy.name, "--remote")
	if v, err := s.Deployment(t.Context(), d.id); err != nil || v.Status != "READY" || v.Scale.Replicas != 2 {
		t.Fatalf("it is %s with %+v, %v", v.Status, v.Scale, err)
	}
	first := l.converse(d, echoPy.assistant, "hello")
	if has := servers.of(d.id); has != "database, 1 logins, redis keys: true" {
		t.Errorf("while it serves: %s", has)
	}

	clients := d.load(8)
	for _, roll := range []func(){
		func() {
			appendTo(t, filepath.Join(dir, echoPy.edit))
			l.deploys(s, dir, echoPy.name, "--remote")
		},
		func() { s.says(t, []string{"DEPLOYED"}, "rotate-database-password", echoPy.name) },
	} {
		before := clients.seen()
		roll()
		eventually(t, "runs end after the rollout", func() bool { return clients.seen() > before })
	}
	clients.end()
	again := l.converse(d, echoPy.assistant, "again", first.Thread)
	if again.Thread != first.Thread || len(again.Answers) != 4 {
		t.Errorf("after two more revisions the thread holds %q", again.Answers)
	}
	eventually(t, "the old login is gone", func() bool { return servers.logins(d.id) == 1 })

	s.says(t, []string{"database", "login", "redis"}, "delete", echoPy.name, "--dry-run")
	s.says(t, nil, "delete", echoPy.name, "--force")
	if has := servers.of(d.id); has != "database, 0 logins, redis keys: true" {
		t.Errorf("kept aside: %s", has)
	}
	s.says(t, []string{"echo-py serves at"}, "restore", echoPy.name)
	if back := l.converse(d, echoPy.assistant, "back", first.Thread); len(back.Answers) != 6 {
		t.Errorf("after a restore the thread holds %q", back.Answers)
	}
	s.says(t, []string{"nothing is left of it"}, "delete", d.id, "--now", "--force")
	if has := servers.of(d.id); has != "no database, 0 logins, redis keys: false" {
		t.Errorf("deleted for good: %s", has)
	}
	snapshots, _ := filepath.Glob(filepath.Join(final, "*.tar.gz"))
	if len(snapshots) != 1 {
		t.Fatalf("final snapshots: %q", snapshots)
	}
	if out, err := exec.Command("tar", "-tzf", snapshots[0]).CombinedOutput(); err != nil || string(out) != "database.dump\n" {
		t.Errorf("in the final snapshot: %s, %v", out, err)
	}
}

// databases are those of a server: a PostgreSQL of its own, and a Redis that it is
// told of.
type databases struct {
	t     *testing.T
	data  string
	redis string
}

// postgres signs in as the server does.
func (d *databases) postgres() *sql.DB {
	d.t.Helper()
	kept := func(name string) string {
		text, err := os.ReadFile(filepath.Join(d.data, "postgres", name))
		must(d.t, err)
		return strings.TrimSpace(string(text))
	}
	where := url.Values{"host": {filepath.Join(d.data, "postgres", "run")}, "port": {kept("port")}, "user": {"slipway"}, "password": {kept("admin")}}
	pool, err := sql.Open("pgx", "postgres:///postgres?"+where.Encode())
	must(d.t, err)
	return pool
}

// up says whether it answers.
func (d *databases) up() bool {
	if _, err := os.Stat(filepath.Join(d.data, "postgres", "port")); err != nil {
		return false
	}
	pool := d.postgres()
	defer pool.Close()
	return pool.Ping() == nil
}

// listens says where.
func (d *databases) listens() (addresses string) {
	d.t.Helper()
	pool := d.postgres()
	defer pool.Close()
	must(d.t, pool.QueryRow("SHOW listen_addresses").Scan(&addresses))
	return addresses
}

func (d *databases) count(query, id string) (n int) {
	d.t.Helper()
	pool := d.postgres()
	defer pool.Close()
	must(d.t, pool.QueryRow(query, "slipway_"+strings.ReplaceAll(id, "-", "")+"%").Scan(&n))
	return n
}

func (d *databases) logins(id string) int {
	return d.count("SELECT count(*) FROM pg_roles WHERE rolname LIKE $1 AND rolcanlogin", id)
}

// of says what there is of a deployment.
func (d *databases) of(id string) string {
	d.t.Helper()
	there := "no database"
	if n := d.count("SELECT count(*) FROM pg_database WHERE datname LIKE $1", id) + d.count("SELECT count(*) FROM pg_roles WHERE rolname LIKE $1 AND NOT rolcanlogin", id); n > 0 {
		there = "database"
	}
	options, err := client.ParseURL(d.redis)
	must(d.t, err)
	c := client.NewClient(options)
	defer c.Close()
	keys, err := c.Info(d.t.Context(), "keyspace").Result()
	must(d.t, err)
	return fmt.Sprintf("%s, %d logins, redis keys: %t", there, d.logins(id), strings.Contains(keys, "keys="))
}
