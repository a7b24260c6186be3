package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
	_ "github.com/pocketbase/pocketbase/migrations" // the tables that every PocketBase has
)

// pocketCommand makes this binary a PocketBase with one collection; it is for
// the benchmark's own children.
const pocketCommand = "serve-pocketbase"

// pocketCollection is where PocketBase keeps deployments.
const pocketCollection = "deployments"

// pocketTokenFile is where its child writes a superuser's token.
func pocketTokenFile(data string) string { return filepath.Join(data, "token") }

// servePocket is 'pocketbase serve' on a folder. Synchronous replaces one of
// the pragmas that it comes with.
func servePocket(args []string) error {
	flags := flag.NewFlagSet(pocketCommand, flag.ExitOnError)
	data := flags.String("data", "", "folder")
	listen := flags.String("listen", "", "address")
	synchronous := flags.String("synchronous", "NORMAL", "pragma")
	if err := flags.Parse(args); err != nil {
		return err
	}
	app := core.NewBaseApp(core.BaseAppConfig{DataDir: *data, DBConnect: connectPocket(*synchronous)})
	if err := app.Bootstrap(); err != nil {
		return err
	}
	if err := preparePocket(app, *data); err != nil {
		return err
	}
	return apis.Serve(app, apis.ServeConfig{HttpAddr: *listen})
}

// connectPocket opens databases as core.DefaultDBConnect does, but for the one
// pragma.
func connectPocket(synchronous string) core.DBConnectFunc {
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

// preparePocket makes the collection, and a superuser whose token it writes
// down. Requests are not logged, as ours are not.
func preparePocket(app core.App, data string) error {
	if err := app.RunAllMigrations(); err != nil {
		return err
	}
	app.Settings().Logs.MaxDays = 0
	if err := app.Save(app.Settings()); err != nil {
		return fmt.Errorf("turn request logs off: %w", err)
	}
	if err := app.Save(pocketDeployments()); err != nil {
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
	token, err := super.NewAuthToken()
	return errors.Join(err, os.WriteFile(pocketTokenFile(data), []byte(token), 0o600))
}

// pocketDeployments has the fields of our answers, and the two indexes that the
// same requests need.
func pocketDeployments() *core.Collection {
	c := core.NewBaseCollection(pocketCollection)
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

// pocket starts a PocketBase on a new folder.
func (l *lab) pocket(ctx context.Context, synchronous string) (*server, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	data, err := l.folder("pocket")
	if err != nil {
		return nil, "", err
	}
	s, _, err := l.start(ctx, data, "/api/health", self, pocketCommand, "-synchronous", synchronous)
	if err != nil {
		return nil, "", err
	}
	token, err := os.ReadFile(pocketTokenFile(data))
	return s, string(token), err
}
