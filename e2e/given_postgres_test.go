package e2e_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dockerclient "github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/postgrestest"
)

// gateway is where containers of an engine reach this machine.
func gateway(t *testing.T, e *dockertest.Engine) string {
	t.Helper()
	bridge, err := e.Client(t).NetworkInspect(t.Context(), "bridge", dockerclient.NetworkInspectOptions{})
	must(t, err)
	return bridge.Network.IPAM.Config[0].Gateway.String()
}

// visitor publishes the image of an agent that keeps what it knows in PostgreSQL, as
// LangGraph's server does in its production form.
func visitor(t *testing.T, r *dockertest.Registry) (ref string) {
	t.Helper()
	r.PublishFiles(t, "team/visitor", "1", map[string][]byte{"program": dockertest.Program(t, "github.com/slipwayhq/slipway/e2e/visitor")}, map[string]any{
		"Entrypoint": []string{"/program"}, "Env": []string{`LANGSERVE_GRAPHS={}`},
	})
	return r.Host + "/team/visitor:1"
}

// foreign is a PostgreSQL that somebody else runs, whose administrator has given
// Slipway a role.
type foreign struct {
	*postgrestest.Cluster
	t *testing.T
}

const rolePassword = "s3cret-of-the-keeper"

func newForeign(t *testing.T, host string) foreign {
	t.Helper()
	f := foreign{postgrestest.StartAt(t, host), t}
	must(t, f.Exec("postgres", "CREATE ROLE keeper LOGIN CREATEDB CREATEROLE PASSWORD '"+rolePassword+"'"))
	must(t, f.Exec("postgres", "ALTER SYSTEM SET log_statement = 'all'"))
	must(t, f.Exec("postgres", "SELECT pg_reload_conf()"))
	return f
}

// admin is the address that Slipway is told, with a password.
func (f foreign) admin(password string) string {
	u, err := url.Parse(f.URL("postgres"))
	must(f.t, err)
	u.User = url.UserPassword("keeper", password)
	return "SLIPWAY_AGENT_POSTGRES_URL=" + u.String()
}

// has lists what there is by names of ours: databases, roles.
func (f foreign) has() (names []string) {
	f.t.Helper()
	pool, err := sql.Open("pgx", f.URL("postgres"))
	must(f.t, err)
	defer pool.Close()
	rows, err := pool.Query(`SELECT 'database ' || datname FROM pg_database WHERE datname LIKE 'slipway%'
		UNION ALL SELECT CASE WHEN rolcanlogin THEN 'login ' ELSE 'role ' END || rolname FROM pg_roles WHERE rolname LIKE 'slipway%' ORDER BY 1`)
	must(f.t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		must(f.t, rows.Scan(&name))
		names = append(names, name)
	}
	must(f.t, rows.Err())
	return names
}

// visits is how often the agent was asked that, as its database knows, once that
// answers.
func (d *deployment) visits() (count string) {
	d.t.Helper()
	eventually(d.t, "its database answers", func() bool {
		status, body, err := d.get("/visits")
		count = strings.TrimSpace(body)
		return err == nil && status == 200
	})
	return count
}

// is expects what a PostgreSQL has of ours, in time.
func (f foreign) is(what string, names ...string) {
	f.t.Helper()
	eventually(f.t, what, func() bool { return slices.Equal(f.has(), names) })
}

// A deployment lives on a PostgreSQL that somebody else runs: there is a wrong
// password, the server is down when the database is made, used, restored from a
// snapshot, which is cancelled, and removed, Slipway does not know it or has lost its
// rights then; its password is rotated, it is deleted,
// taken back and deleted for good. Of it nothing is left, and no password was seen.
func TestAGivenPostgreSQL(t *testing.T) {
	t.Parallel()
	e, registry := dockertest.Shared(t), dockertest.NewRegistry(t)
	host := gateway(t, e)
	postgres, ref := newForeign(t, host), visitor(t, registry)
	arguments := watchArguments(t, 50*time.Millisecond)
	final := filepath.Join(t.TempDir(), "final")
	s := onEngine(t, e, "--agent-postgres-from-containers", host+":5432", "--final-snapshots", final, "--measure-every", "1s")
	withPassword := func(password string) {
		t.Helper()
		s.stop()
		s.env = []string{postgres.admin(password)}
		s.start()
	}

	withPassword("wrong")
	d := s.image("visited", ref)
	if r := d.latest(); r.Status != "DEPLOY_FAILED" || r.Failure == nil || r.Failure.Code != "database_refused" {
		t.Errorf("with a wrong password it is %s: %+v", r.Status, r.Failure)
	}
	must(t, postgres.Down())
	withPassword(rolePassword)
	d.Client = s.Client
	d.change(ref)
	eventually(t, "it waits and says why", func() bool {
		v, err := d.Deployment(t.Context(), d.id)
		must(t, err)
		return v.Status == "AWAITING_DATABASE" && v.Health != nil && strings.Contains(deref(v.Health.Reason), "can not be reached")
	})
	must(t, postgres.Up())
	d.serves()
	name := "slipway_" + strings.ReplaceAll(d.id, "-", "")
	postgres.is("database, owner and login", "database "+name, "login "+name+"_1", "role "+name)
	uris := []string{d.asked("/value?name=POSTGRES_URI")}
	if got := d.visits(); got != "1" {
		t.Errorf("%s visits", got)
	}
	eventually(t, "its size and connections are measured", func() bool {
		m, err := s.Metrics(t.Context(), d.id, client.Span{})
		must(t, err)
		return highestOf(m.DatabaseSize.Max) > 1<<20 && slices.ContainsFunc(m.DatabaseConnections.Max, func(n *float64) bool { return n != nil })
	})
	must(t, errors.Join(postgres.Down(), postgres.Up()))
	if got := d.visits(); got != "2" {
		t.Errorf("%s visits after the server was away", got)
	}

	s.says(t, []string{"DEPLOYED"}, "rotate-database-password", "visited")
	uris = append(uris, d.asked("/value?name=POSTGRES_URI"))
	postgres.is("the new login alone", "database "+name, "login "+name+"_2", "role "+name)
	if got := d.visits(); got != "3" {
		t.Errorf("%s visits after a rotation", got)
	}
	answers := everything(t, d, d.latest()) + d.deployLog(d.newest(d.id).ID)

	s.says(t, []string{"database", "login"}, "delete", "visited", "--force")
	postgres.is("what is kept aside, without a way in", "database "+name, "role "+name)
	s.says(t, []string{"serves at"}, "restore", "visited")
	uris = append(uris, d.asked("/value?name=POSTGRES_URI"))
	if got := d.visits(); got != "4" {
		t.Errorf("%s visits after a restore", got)
	}
	waits := func(reason string) {
		t.Helper()
		eventually(t, "the deletion waits, for "+reason, func() bool {
			deletion, err := s.Deletion(t.Context(), d.id)
			must(t, err)
			return slices.ContainsFunc(deletion.Items, func(i wire.DeletionItem) bool { return strings.Contains(deref(i.Error), reason) })
		})
	}
	s.stop()
	s.env = nil
	s.start()
	must(t, s.DeleteDeployment(t.Context(), d.id, client.DeleteOptions{Now: true}))
	waits("is not known any more")
	must(t, postgres.Exec("postgres", "ALTER ROLE keeper NOCREATEROLE"))
	withPassword(rolePassword)
	waits("may not make databases and roles")
	must(t, errors.Join(postgres.Exec("postgres", "ALTER ROLE keeper CREATEROLE"), postgres.Down()))
	waits("can not be reached")
	must(t, postgres.Up())
	end, err := s.WatchDeletion(t.Context(), d.id, func(wire.Deletion) {})
	if err != nil || end.State != "done" {
		t.Errorf("deleted for good: %+v, %v", end, err)
	}
	postgres.is("nothing")

	heir := s.image("visited", ref)
	heir.serves()
	if got := heir.visits(); got != "1" {
		t.Errorf("%s visits of a new one of the name", got)
	}
	s.says(t, []string{"visited", d.id, final}, "snapshot", "list")
	must(t, postgres.Down())
	_, err = s.RestoreSnapshot(t.Context(), heir.id, d.id, true)
	must(t, err)
	eventually(t, "the restore waits and says why", func() bool {
		v, err := s.Deployment(t.Context(), heir.id)
		must(t, err)
		return v.SnapshotRestore.State == "reading" && strings.Contains(deref(v.SnapshotRestore.Reason), "can not be reached")
	})
	s.says(t, []string{"is not restored"}, "snapshot", "cancel", "visited")
	must(t, postgres.Up())
	if got := heir.visits(); got != "2" {
		t.Errorf("%s visits after the restore was cancelled", got)
	}
	s.says(t, []string{"Restoring the snapshot of " + d.id, "done", "serves at"}, "snapshot", "restore", "visited", "--force")
	if got := heir.visits(); got != "5" {
		t.Errorf("%s visits after the snapshot was restored", got)
	}
	s.diesWhileDeleting(heir.id)
	postgres.is("nothing")

	dropped := s.image("dropped", ref)
	dropped.serves()
	must(t, postgres.Exec("postgres", "DROP DATABASE slipway_"+strings.ReplaceAll(dropped.id, "-", "")+" WITH (FORCE)"))
	_, err = s.Redeploy(t.Context(), dropped.id, dropped.newest(dropped.id).ID)
	must(t, err)
	if r := dropped.latest(); r.Status != "DEPLOY_FAILED" || r.Failure == nil || r.Failure.Code != "database_gone" {
		t.Errorf("without its database it is %s: %+v", r.Status, r.Failure)
	}
	dropped.purge()
	postgres.is("nothing")

	receipt, err := json.Marshal(end)
	must(t, err)
	said, err := os.ReadFile(s.log)
	must(t, err)
	secrets := []string{rolePassword}
	for _, uri := range uris {
		u, err := url.Parse(uri)
		must(t, err)
		password, _ := u.User.Password()
		if len(password) < 20 || slices.Contains(secrets, password) {
			t.Fatalf("a password of %d letters, or one twice", len(password))
		}
		secrets = append(secrets, password)
	}
	log := postgres.Log(t)
	if !strings.Contains(log, "IN ACCESS SHARE MODE") {
		t.Error("the database was not dumped, whose arguments were looked at")
	}
	for place, text := range map[string]string{"an answer": answers, "the receipt": string(receipt), "the server's log": string(said), "arguments": arguments(), "PostgreSQL's log": log} {
		for n, secret := range secrets {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("password %d is in %s: %.200q", n, place, text[max(0, i-100):])
			}
		}
	}
	expectNotBelow(t, s.data, secrets)
}

// highestOf is the highest of what was measured, 0 for nothing.
func highestOf(values []*float64) (most float64) {
	for _, v := range values {
		if v != nil {
			most = max(most, *v)
		}
	}
	return most
}

// Containers find the server, and its PostgreSQL, also where the engine came up
// after both.
func TestAnEngineThatComesLater(t *testing.T) {
	t.Parallel()
	e, registry := dockertest.Start(t), dockertest.NewRegistry(t)
	s := onEngine(t, e)
	d := s.image("early", visitor(t, registry))
	d.serves()
	if got := d.visits(); got != "1" {
		t.Errorf("%s visits", got)
	}
	s.stop()
	endPostgres(t, s.data)
	e.Down()
	s.start()
	d.Client = s.Client
	waits := make(chan int, 1)
	go func() {
		status, _, _ := d.get("/visits")
		waits <- status
	}()
	own := &databases{t: t, data: s.data}
	eventually(t, "PostgreSQL is up without the engine", func() bool { return own.up() })
	if listens := own.listens(); listens != "127.0.0.1" {
		t.Errorf("without an engine it listens at %s", listens)
	}
	must(t, e.Up())
	_, err := d.Redeploy(t.Context(), d.id, d.newest(d.id).ID)
	must(t, err)
	d.serves()
	if status := <-waits; status == http.StatusNotFound {
		t.Error("without the engine it was not there")
	}
	if got := d.visits(); got != "2" {
		t.Errorf("%s visits once the engine was up", got)
	}
	if got := d.asked("/reach"); got != "200" {
		t.Errorf("where it traces it gets %s", got)
	}
	if listens := own.listens(); listens != "127.0.0.1,"+gateway(t, e) {
		t.Errorf("with the engine it listens at %s", listens)
	}
}
