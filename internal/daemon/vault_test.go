package daemon

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipwayhq/slipway"
)

func TestVaultTakesAllOrNothing(t *testing.T) {
	v := vault{filepath.Join(t.TempDir(), "last")}
	d := slipway.Deployment{ID: "id", Name: "app"}
	text := func(s string, err error) func(io.Writer) error {
		return func(w io.Writer) error { _, _ = io.WriteString(w, s); return err }
	}
	full := errors.New("no space left on device")
	if _, err := v.Store(d, text("half", full)); !errors.Is(err, full) {
		t.Errorf("a part was stored: %v", err)
	}
	for _, s := range []string{"first", "second"} { // a death came between, and it is stored again
		where, err := v.Store(d, text(s, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(where); string(got) != s || err != nil {
			t.Errorf("%s holds %q, %v", where, got, err)
		}
	}
	if names, err := os.ReadDir(v.folder); len(names) != 1 || names[0].Name() != "app-id.tar" || err != nil {
		t.Errorf("there are %v, %v", names, err)
	}
}
