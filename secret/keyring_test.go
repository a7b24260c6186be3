package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipwayhq/slipway/secret"
)

func TestSealedValueOpensForItsRowOnly(t *testing.T) {
	ring, err := secret.NewKeyring(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	sealed := ring.Seal("s3cret", "set/1/TOKEN")
	if got, err := ring.Open(sealed, "set/1/TOKEN"); err != nil || got != "s3cret" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	if _, err := ring.Open(sealed, "set/2/TOKEN"); !errors.Is(err, secret.ErrUnreadable) {
		t.Errorf("opened for another row: %v", err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := ring.Open(sealed, "set/1/TOKEN"); !errors.Is(err, secret.ErrUnreadable) {
		t.Errorf("opened after a change: %v", err)
	}
	for n := range 5 {
		if _, err := ring.Open(sealed[:n], ""); !errors.Is(err, secret.ErrUnreadable) {
			t.Errorf("opened %d bytes: %v", n, err)
		}
	}
}

func TestKeyFileIsMadeOnceAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	first, err := secret.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", info, err)
	}
	again, err := secret.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(first.Seal("v", "r"), "r"); err != nil || got != "v" {
		t.Fatalf("Open with the key read again = %q, %v", got, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.OpenFile(path); err == nil {
		t.Error("a truncated key was taken")
	}
}
