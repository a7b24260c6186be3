package daemon

import (
	"context"
	"io"
	"path/filepath"

	"github.com/slipwayhq/slipway/build/toolchain"
	"github.com/slipwayhq/slipway/database/programs"
)

// PostgresFolder is where a server keeps a PostgreSQL of its own.
func PostgresFolder(data string) string { return filepath.Join(data, "postgres") }

// Toolchains of a data folder.
func Toolchains(data string) *toolchain.Toolchains {
	return toolchain.New(toolchain.Options{Dir: filepath.Join(data, "cache", "toolchains"), Tmp: filepath.Join(data, "tmp")})
}

// PostgresPrograms finds PostgreSQL's programs on the machine, or has them brought
// to where toolchains are kept.
func PostgresPrograms(tools *toolchain.Toolchains) programs.Finder {
	label, major, ok := toolchain.BroughtPostgres()
	if !ok {
		return programs.Finder{}
	}
	return programs.Finder{Bringer: programs.Bringer{Label: label, Major: major, Bring: func(ctx context.Context) (home, bin string, err error) {
		return tools.Postgres(ctx, io.Discard)
	}}}
}
