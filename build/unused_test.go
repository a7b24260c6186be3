package build_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/build/kind"
)

// Dependencies go when no bundle has them and nobody used them for a day.
func TestUnusedDependenciesGo(t *testing.T) {
	dir := data(t)
	runtime := map[string]string{kind.RuntimeDependencies: "used"}
	b := open(t, dir, &standIn{runtime: runtime})
	place := func(name string) string { return filepath.Join(dir, "cache", kind.Dependencies, name) }
	aged := func(name string, age time.Duration) {
		t.Helper()
		at := time.Now().Add(-age)
		if err := os.MkdirAll(filepath.Join(place(name), "node_modules"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(place(name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	there := func(name string) bool { _, err := os.Stat(place(name)); return err == nil }
	for name, age := range map[string]time.Duration{"used": 90 * 24 * time.Hour, "old": 25 * time.Hour, "fresh": time.Hour} {
		aged(name, age)
	}
	build := func(line string) string {
		t.Helper()
		a, err := b.Build(t.Context(), request(t, map[string]string{"langgraph.json": standInConfig, "a.ts": line}), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return a.Digest
	}
	one, two := build("one"), build("two")
	if err := b.Remove(context.Background(), one); err != nil {
		t.Fatal(err)
	}
	if !there("used") || there("old") || !there("fresh") {
		t.Errorf("there: used %t, old %t, fresh %t", there("used"), there("old"), there("fresh"))
	}
	if err := b.Remove(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	if there("used") || !there("fresh") {
		t.Errorf("with the last bundle: used %t, fresh %t", there("used"), there("fresh"))
	}

	aged("old", 25*time.Hour)
	delete(runtime, kind.RuntimeDependencies)
	build("of an older version")
	three := build("three")
	if err := b.Remove(t.Context(), three); err != nil || !there("old") {
		t.Errorf("beside a bundle that does not say what it uses: %v, there %t", err, there("old"))
	}
}

func TestTouchedDependenciesStay(t *testing.T) {
	dir := t.TempDir()
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(dir, long, long); err != nil {
		t.Fatal(err)
	}
	if err := kind.Touch(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || time.Since(info.ModTime()) > time.Minute {
		t.Errorf("%v, %v", info.ModTime(), err)
	}
}
