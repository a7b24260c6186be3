package build_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build"
)

func remains(t *testing.T, b *build.Builder) (refs []string) {
	t.Helper()
	things, err := b.Remains(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, thing := range things {
		if thing.Deployment != "" || thing.Kind != slipway.ItemBundle || thing.Since.IsZero() || thing.What == "" {
			t.Errorf("a strange thing: %+v", thing)
		}
		refs = append(refs, thing.Ref)
	}
	return refs
}

func unshared() (bool, error) { return false, nil }

// Bundles are told until they are gone, and so is what builds left long ago;
// what merely lies among it never is.
func TestRemains(t *testing.T) {
	dir := data(t)
	b := open(t, dir, &standIn{})
	if left := remains(t, b); len(left) > 0 {
		t.Errorf("at first: %v", left)
	}
	a, err := b.Build(t.Context(), request(t, map[string]string{"langgraph.json": standInConfig, "a.ts": "one"}), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	strangers := []string{filepath.Join(dir, "bundles", "notes"), filepath.Join(dir, "bundles", a.Digest+"-old")}
	begun, old := filepath.Join(dir, "tmp", "build-1"), filepath.Join(dir, "tmp", "build-2")
	for _, folder := range append(strangers, begun, old) {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]int{a.Digest: 1, a.Digest + "-old": 0, "notes": 0, "..": 0} {
		if there, err := b.There(t.Context(), slipway.ItemBundle, ref); len(there) != want || err != nil {
			t.Errorf("There %s = %+v, %v", ref, there, err)
		}
	}
	if left := remains(t, b); !slices.Equal(left, []string{a.Digest, "half-made:build-2"}) {
		t.Errorf("there is %v", left)
	}
	for _, ref := range []string{"half-made:build-1", "half-made:../bundles", "half-made:..", a.Digest + "-old", "notes"} {
		if _, err := b.RemoveUnless(t.Context(), slipway.ItemBundle, ref, unshared); err == nil {
			t.Errorf("%q was removed", ref)
		}
	}
	for range 2 {
		for _, ref := range []string{a.Digest, "half-made:build-2"} {
			if removed, err := b.RemoveUnless(t.Context(), slipway.ItemBundle, ref, unshared); !removed || err != nil {
				t.Errorf("remove %s: %t, %v", ref, removed, err)
			}
		}
	}
	if left := remains(t, b); len(left) > 0 {
		t.Errorf("at last: %v", left)
	}
	for kind, ref := range map[slipway.ItemKind]string{slipway.ItemBundle: a.Digest, slipway.ItemImage: "app:1"} {
		if there, err := b.There(t.Context(), kind, ref); len(there) > 0 || err != nil {
			t.Errorf("at last there is %+v, %v", there, err)
		}
	}
	for _, folder := range append(strangers, begun) {
		if _, err := os.Stat(folder); err != nil {
			t.Error(err)
		}
	}
}

// A bundle that can not be removed is said to be left as often as it is tried,
// and goes once it can.
func TestRemovalRefused(t *testing.T) {
	dir := data(t)
	b := open(t, dir, &standIn{})
	a, err := b.Build(t.Context(), request(t, map[string]string{"langgraph.json": standInConfig, "a.ts": "one"}), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	inside, err := os.Open(filepath.Join(dir, "bundles", a.Digest, "app"))
	if err != nil {
		t.Fatal(err)
	}
	set := func(flags int) error { return unix.IoctlSetPointerInt(int(inside.Fd()), unix.FS_IOC_SETFLAGS, flags) }
	if err := set(0x10); err != nil { // immutable
		t.Skipf("nothing can be made immutable here: %v", err)
	}
	t.Cleanup(func() { _ = set(0); inside.Close() })
	for range 3 {
		if _, err := b.RemoveUnless(t.Context(), slipway.ItemBundle, a.Digest, unshared); err == nil || !strings.Contains(err.Error(), "chattr -i") {
			t.Errorf("removed what can not be: %v", err)
		}
	}
	if err := set(0); err != nil {
		t.Fatal(err)
	}
	if removed, err := b.RemoveUnless(t.Context(), slipway.ItemBundle, a.Digest, unshared); !removed || err != nil {
		t.Errorf("removed %t, %v", removed, err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 || err != nil {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
}
