package content_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/build/internal/content"
)

// tree makes a folder: a name that ends in / is a folder, content that begins
// with -> a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "made")
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case name[len(name)-1] == '/':
			err = os.MkdirAll(path, 0o755)
		case len(text) > 2 && text[:2] == "->":
			err = os.Symlink(text[2:], path)
		default:
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func digest(t *testing.T, dir string) string {
	t.Helper()
	d, err := content.Digest(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// All that counts changes the digest, each in its own way.
func TestDigest(t *testing.T) {
	shared := tree(t, map[string]string{"node_modules/x": "1"})
	other := tree(t, map[string]string{"node_modules/x": "2"})
	all := map[string]string{}
	for name, files := range map[string]map[string]string{
		"base":         {"a": "1", "b/c": "2"},
		"bytes":        {"a": "2", "b/c": "2"},
		"name":         {"A": "1", "b/c": "2"},
		"folder":       {"a": "1", "b/c": "2", "d/": ""},
		"place":        {"a": "1", "c": "2", "b/": ""},
		"split":        {"a": "1b", "c": "2"},
		"link":         {"a": "1", "b/c": "->../a"},
		"other link":   {"a": "1", "b/c": "->../b"},
		"dangling":     {"a": "1", "b/c": "->../../../nowhere"},
		"shared":       {"a": "1", "b/c": "->" + shared + "/node_modules"},
		"other shared": {"a": "1", "b/c": "->" + other + "/node_modules"},
		"file outside": {"a": "1", "b/c": "->" + shared + "/node_modules/x"},
		"empty":        {"b/": ""},
	} {
		d := digest(t, tree(t, files))
		if twin, ok := all[d]; ok {
			t.Errorf("%s and %s have one digest", name, twin)
		}
		all[d] = name
	}
	dir := tree(t, map[string]string{"a": "1", "b/c": "2"})
	os.Chmod(filepath.Join(dir, "a"), 0o755)
	if twin, ok := all[digest(t, dir)]; ok {
		t.Errorf("a program has the digest of %s", twin)
	}
}

// What does not count, does not.
func TestDigestIsOfContentAlone(t *testing.T) {
	files := map[string]string{"a": "1", "b/c": "->../a"}
	one, two := tree(t, files), tree(t, files)
	os.Chmod(filepath.Join(two, "a"), 0o400)
	os.Chmod(filepath.Join(two, "b"), 0o555)
	t.Cleanup(func() { os.Chmod(filepath.Join(two, "b"), 0o755) })
	os.Chtimes(filepath.Join(two, "a"), time.Unix(1, 0), time.Unix(1, 0))
	if digest(t, one) != digest(t, two) {
		t.Error("modes or times count")
	}
}

// A record stands for what it was made of, and is not part of it.
func TestRecord(t *testing.T) {
	shared := tree(t, map[string]string{"node_modules/x": "1"})
	before := digest(t, shared)
	if err := content.Record(shared); err != nil {
		t.Fatal(err)
	}
	if digest(t, shared) != before {
		t.Error("the record counts")
	}
	app := tree(t, map[string]string{"node_modules": "->" + shared + "/node_modules"})
	known := digest(t, app)
	if err := os.WriteFile(filepath.Join(shared, "node_modules", "x"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if digest(t, app) != known {
		t.Error("what has a record is read")
	}
	if err := content.Record(shared); err != nil || digest(t, app) == known {
		t.Errorf("another record gives the same, %v", err)
	}
}
