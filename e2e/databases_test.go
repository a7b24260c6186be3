package e2e_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// Aegra needs PostgreSQL and wants Redis, and neither its deployment nor the server
// has settings for one: a database is made and a Redis runs, they are kept over
// revisions and a new password, are shared by two replicas, and go with the
// deployment: of it, nothing is there afterwards.
func TestAegraOnADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	final := filepath.Join(t.TempDir(), "final")
	s := aegraServer(t, "--rate-limit", "0", "--final-snapshots", final, "--measure-every", "1s")
	servers := &databases{t: t, data: s.data}
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
	eventually(t, "both replicas share the database and the Redis", func() bool {
		return servers.of(d.id) == "database, 1 logins, Redis shared by 2"
	})

	servers.measured(d)

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
	if has := servers.of(d.id); has != "database, 0 logins, Redis kept" {
		t.Errorf("kept aside: %s", has)
	}
	s.says(t, []string{"echo-py serves at"}, "restore", echoPy.name)
	if back := l.converse(d, echoPy.assistant, "back", first.Thread); len(back.Answers) != 6 {
		t.Errorf("after a restore the thread holds %q", back.Answers)
	}
	s.says(t, []string{"nothing is left of it"}, "delete", d.id, "--now", "--force")
	if has := servers.of(d.id); has != "no database, 0 logins, no Redis" {
		t.Errorf("deleted for good: %s", has)
	}
	snapshots, _ := filepath.Glob(filepath.Join(final, "*.tar.gz"))
	if len(snapshots) != 1 {
		t.Fatalf("final snapshots: %q", snapshots)
	}
	if out, err := exec.Command("tar", "-tzf", snapshots[0]).CombinedOutput(); err != nil || string(out) != "snapshot.json\ndatabase.dump\n" {
		t.Errorf("in the final snapshot: %s, %v", out, err)
	}

	if created, err = s.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{
		Name: echoPy.name, Source: "internal_source", SourceConfig: wire.SourceConfigRequest{AgentServer: new("aegra")},
	}); err != nil {
		t.Fatal(err)
	}
	heir := s.made(created)
	l.deploys(s, dir, echoPy.name, "--remote")
	l.converse(heir, echoPy.assistant, "of its own")
	s.says(t, []string{"Restoring the snapshot of " + d.id, "serves at"}, "snapshot", "restore", echoPy.name, "--force")
	if back := l.converse(heir, echoPy.assistant, "inherited", first.Thread); back.Thread != first.Thread || len(back.Answers) != 8 {
		t.Errorf("after the snapshot was restored the thread holds %q", back.Answers)
	}
	s.diesWhileDeleting(heir.id)
	if has := servers.of(heir.id); has != "no database, 0 logins, no Redis" {
		t.Errorf("the heir, deleted for good: %s", has)
	}
}

// databases are those of a server: a PostgreSQL of its own, and a Redis for each
// deployment.
type databases struct {
	t    *testing.T
	data string
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
	return fmt.Sprintf("%s, %d logins, %s", there, d.logins(id), d.redis(id))
}

// measured expects the metrics to tell of both.
func (d *databases) measured(of *deployment) {
	d.t.Helper()
	eventually(d.t, "its database and its Redis are measured", func() bool {
		m, err := of.Metrics(d.t.Context(), of.id, client.Span{})
		must(d.t, err)
		return highestOf(m.DatabaseSize.Max) > 1<<20 && highestOf(m.RedisMemory.Max) > 1<<20 && highestOf(m.RedisCPU.Max) >= 0
	})
	of.says(d.t, []string{"database", "MiB", "connections", "redis cpu", "redis memory"}, "metrics", echoPy.name)
}

// redis says whether a Redis of a deployment's own is there and runs, and how many
// agents share it: each follows what the others say of their runs.
func (d *databases) redis(id string) string {
	d.t.Helper()
	folder := filepath.Join(d.data, "deployments", id, "instances", id)
	if _, err := os.Stat(filepath.Join(folder, "keep")); err != nil {
		return "no Redis"
	}
	var state struct {
		Phase     string
		PID, Port int
	}
	text, err := os.ReadFile(filepath.Join(folder, "state.json"))
	must(d.t, errors.Join(err, json.Unmarshal(text, &state)))
	if state.Phase != "running" {
		return "Redis kept"
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", state.PID))
	must(d.t, err)
	_, rest, _ := strings.Cut(string(env), "SLIPWAY_REDIS_PASSWORD=")
	password, _, _ := strings.Cut(rest, "\x00")
	c := redis.NewClient(&redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", state.Port), Password: password})
	defer c.Close()
	runs, err := c.Keys(d.t.Context(), "aegra:run:*").Result()
	must(d.t, err)
	clients, err := c.ClientList(d.t.Context()).Result()
	must(d.t, err)
	if len(runs) == 0 {
		return "Redis unused"
	}
	return fmt.Sprintf("Redis shared by %d", strings.Count(clients, " sub=1 "))
}
