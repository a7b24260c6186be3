package archive_test

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/build/archive"
)

func treeOf(t *testing.T, headers ...tar.Header) string {
	t.Helper()
	digest, err := archive.Tree(bytes.NewReader(tarball(t, headers...)))
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// The same files are the same tree, however they are packed; anything that a
// build could see makes another.
func TestTree(t *testing.T) {
	a, b := file("src/a.ts", "export const a = 1"), file("b.json", "{}")
	base := treeOf(t, a, b)
	later := a
	later.ModTime, later.Uid, later.Uname = time.Unix(1e9, 0), 1000, "somebody"
	dotted := b
	dotted.Name = "./b.json"
	readOnly := b
	readOnly.Mode = 0o400
	for name, same := range map[string][]tar.Header{
		"order": {b, a}, "times and owners": {later, b}, "spelling": {a, dotted}, "rights": {a, readOnly},
		"a comment": {{Name: "pax", Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}, a, b},
	} {
		if got := treeOf(t, same...); got != base {
			t.Errorf("%s: another tree", name)
		}
	}
	script := a
	script.Mode = 0o755
	seen := map[string]string{base: "base"}
	for name, other := range map[string][]tar.Header{
		"a byte": {file("src/a.ts", "export const a = 2"), b}, "a name": {file("src/A.ts", "export const a = 1"), b},
		"executable": {script, b}, "one less": {a}, "one more": {a, b, file("c", "")},
		"a folder": {a, b, {Name: "empty/", Typeflag: tar.TypeDir}}, "moved content": {file("src/a.ts", "{}"), file("b.json", "export const a = 1")},
	} {
		got := treeOf(t, other...)
		if before, taken := seen[got]; taken {
			t.Errorf("%s and %s are one tree", name, before)
		}
		seen[got] = name
	}
}

func TestTreeRefuses(t *testing.T) {
	for name, content := range map[string][]byte{
		"no tarball": []byte("hello"),
		"traversal":  tarball(t, file("../x", "")),
		"cut":        tarball(t, file("x", strings.Repeat("y", 1000)))[:40],
	} {
		if digest, err := archive.Tree(bytes.NewReader(content)); err == nil {
			t.Errorf("%s has the digest %s", name, digest)
		}
	}
}
