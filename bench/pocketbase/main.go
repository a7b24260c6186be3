// Command pocketbase is a PocketBase with one collection, for the benchmark to
// measure beside ours. It is a program of its own: in the benchmark's it would
// slow each start of a server or an agent, which are that program run again.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
	_ "github.com/pocketbase/pocketbase/migrations" // the tables that every PocketBase has
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "pocketbase:", err)
		os.Exit(1)
	}
}

// serve is 'pocketbase serve' on a folder. Synchronous replaces one of the
// pragmas that it comes with.
func serve() error {
	data := flag.String("data", "", "folder")
	listen := flag.String("listen", "", "address")
	synchronous := flag.String("synchronous", "NORMAL", "pragma")
	token := flag.String("token", "", "file that a superuser's token is written to")
	collection := flag.String("collection", "", "name of what stands for deployments")
	flag.Parse()
	app := core.NewBaseApp(core.BaseAppConfig{DataDir: *data, DBConnect: connect(*synchronous)})
	if err := app.Bootstrap(); err != nil {
		return err
	}
	if err := prepare(app, *collection, *token); err != nil {
		return err
	}
	return apis.Serve(app, apis.ServeConfig{HttpAddr: *listen})
}

// connect opens databases as core.DefaultDBConnect does, but for the one
// pragma.
func connect(synchronous string) core.DBConnectFunc {
	if synchronous == "NORMAL" {
		return nil // as shipped
	}
	pragmas := []string{
		"busy_timeout(10000)", "journal_mode(WAL)", "journal_size_limit(200000000)", "synchronous(" + synchronous + ")",
		"foreign_keys(ON)", "temp_store(MEMORY)", "cache_size(-32000)",
	}
	return func(path string) (*dbx.DB, error) {
		return dbx.Open("sqlite", path+"?_pragma="+strings.Join(pragmas, "&_pragma="))
	}
}

// prepare makes the collection, and a superuser whose token it writes
// down. Requests are not logged, as ours are not.
func prepare(app core.App, collection, token string) error {
	if err := app.RunAllMigrations(); err != nil {
		return err
	}
	app.Settings().Logs.MaxDays = 0
	if err := app.Save(app.Settings()); err != nil {
		return fmt.Errorf("turn request logs off: %w", err)
	}
	if err := app.Save(deployments(collection)); err != nil {
		return fmt.Errorf("make collection: %w", err)
	}
	supers, err := app.FindCollectionByNameOrId(core.CollectionNameSuperusers)
	if err != nil {
		return err
	}
	super := core.NewRecord(supers)
	super.SetEmail("bench@example.com")
	super.SetRandomPassword()
	if err := app.Save(super); err != nil {
		return fmt.Errorf("make superuser: %w", err)
	}
	text, err := super.NewAuthToken()
	return errors.Join(err, os.WriteFile(token, []byte(text), 0o600))
}

// deployments has the fields of our answers, and the two indexes that the
// same requests need.
func deployments(collection string) *core.Collection {
	c := core.NewBaseCollection(collection)
	for _, name := range []string{
		"tenant_id", "name", "display_name", "source", "status", "latest_revision_id", "active_revision_id",
		"latest_revision_status", "latest_revision_status_message", "tracer_session_id", "url", "image_version",
	} {
		c.Fields.Add(&core.TextField{Name: name})
	}
	for _, name := range []string{"source_config", "source_revision_config", "secrets", "secret_references", "health"} {
		c.Fields.Add(&core.JSONField{Name: name})
	}
	c.Fields.Add(
		&core.BoolField{Name: "is_preview"},
		&core.AutodateField{Name: "created", OnCreate: true},
		&core.AutodateField{Name: "updated", OnCreate: true, OnUpdate: true},
	)
	c.AddIndex("deployments_name", true, "tenant_id, name", "")
	c.AddIndex("deployments_newest", false, "created, id", "")
	return c
}
