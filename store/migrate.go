package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// ErrNewer means that the data was written by a newer Slipway. Nothing has been
// changed.
var ErrNewer = errors.New("the data was written by a newer Slipway")

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema up to date, each step in a transaction of its own.
func Migrate(ctx context.Context, conn *sql.DB, dialect goose.Dialect) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, conn, files)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	has, knows, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if has > knows {
		return fmt.Errorf("%w (schema %d, this one knows %d): install that version, or restore a backup from before the upgrade", ErrNewer, has, knows)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the schema from %d to %d: %w", has, knows, err)
	}
	return nil
}
