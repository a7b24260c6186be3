package daemon

import (
	"context"
	"io"
	"path/filepath"

	"github.com/slipwayhq/slipway/build/toolchain"
	"github.com/slipwayhq/slipway/database/programs"
	"github.com/slipwayhq/slipway/database/redis"
)

// PostgresFolder is where a server keeps a PostgreSQL of its own.
func PostgresFolder(data string) string { return filepath.Join(data, "postgres") }

// Toolchains of a data folder.
func Toolchains(data string) *toolchain.Toolchains {
	return toolchain.New(toolchain.Options{Dir: filepath.Join(data, "cache", "toolchains"), Tmp: filepath.Join(data, "tmp")})
}

// RedisPrograms finds a Redis or Valkey server on the machine, or has one brought
// to where toolchains are kept.
func RedisPrograms(tools *toolchain.Toolchains) redis.Finder {
	label, ok := toolchain.BroughtValkey()
	if !ok {
		return redis.Finder{}
	}
	return redis.Finder{Label: label, Bring: func(ctx context.Context) (home, path string, err error) {
		return tools.Valkey(ctx, io.Discard)
	}}
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
