package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/archive"
)

func file(name, content string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o644, PAXRecords: map[string]string{"SLIPWAY.content": content}}
}

// tarball packs headers; a file's content travels in a PAX record, so that a
// case is one list of headers.
func tarball(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, h := range headers {
		content := h.PAXRecords["SLIPWAY.content"]
		h.PAXRecords = nil
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, content)
	}
	w.Close()
	return zip(plain.Bytes())
}

func zip(plain []byte) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(plain)
	w.Close()
	return packed.Bytes()
}

func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	script := file("bin/run", "#!/bin/sh\n")
	script.Mode = 0o4777
	long := strings.Repeat("long/", 40) + "name.js"
	source := tarball(t,
		tar.Header{Name: "pax", Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "of git archive"}},
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o700},
		tar.Header{Name: "./src/", Typeflag: tar.TypeDir, Mode: 0},
		tar.Header{Name: "src", Typeflag: tar.TypeDir, Mode: 0o755},
		file("./src/graph.ts", "export {}"), file("deep/er/x", ""), file(long, "l"), file(".env", "A=1"), script)
	done, err := archive.Unpack(bytes.NewReader(source), dir, archive.Options{Limits: archive.SourceLimits()})
	if err != nil {
		t.Fatal(err)
	}
	if want := (archive.Summary{Files: 5, Bytes: 23}); done != want {
		t.Errorf("summary %+v, want %+v", done, want)
	}
	for name, want := range map[string]string{"src/graph.ts": "export {}", ".env": "A=1", long: "l", "deep/er/x": ""} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if info, _ := os.Stat(filepath.Join(dir, "bin/run")); info.Mode() != 0o755 {
		t.Errorf("mode %v, want it executable and nothing more", info.Mode())
	}
}

func TestUnpackStripsAndSelects(t *testing.T) {
	dir := t.TempDir()
	source := tarball(t, file("package/bin/node", "node"), file("package/include/node.h", "h"), file("README", ""))
	_, err := archive.Unpack(bytes.NewReader(source), dir, archive.Options{
		Strip: 1, Keep: func(name string) bool { return name == "bin/node" },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir); got != "bin bin/node" {
		t.Errorf("unpacked %q", got)
	}
}

func tree(t testing.TB, dir string) string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if name != "." {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func TestUnpackRefuses(t *testing.T) {
	noise := make([]byte, 30_000)
	rand.NewChaCha8([32]byte{}).Read(noise)
	good := tarball(t, file("langgraph.json", "{}"), file("noise", string(noise)))
	damaged := bytes.Clone(good)
	damaged[len(damaged)-6] ^= 0xff // in gzip's checksum
	cases := map[string]struct {
		source  []byte
		code    string
		message string // part of it
	}{
		"nothing":           {nil, "not_gzip", "empty"},
		"text":              {[]byte("hello"), "not_gzip", "invalid header"},
		"one byte":          {[]byte{0x1f}, "not_gzip", ""},
		"a zip":             {[]byte("PK\x03\x04 and so on, longer than a header"), "not_gzip", ""},
		"header only":       {good[:8], "truncated_archive", "first bytes"},
		"cut":               {good[:len(good)/2], "truncated_archive", "at or after noise"},
		"cut in checksum":   {good[:len(good)-3], "truncated_archive", "at its end"},
		"wrong checksum":    {damaged, "corrupt_archive", "checksum"},
		"not a tar":         {zip(bytes.Repeat([]byte("text "), 500)), "not_tar", "invalid tar header"},
		"trailing":          {append(bytes.Clone(good), "garbage that is longer"...), "trailing_garbage", ""},
		"no entries":        {tarball(t), "empty_archive", ""},
		"absolute":          {tarball(t, file("/etc/passwd", "x")), "unsafe_path", "/etc/passwd: it is absolute"},
		"dots":              {tarball(t, file("a/../../x", "x")), "unsafe_path", "a/../../x"},
		"dots inside":       {tarball(t, file("a/../x", "x")), "unsafe_path", "'..'"},
		"a folder of dots":  {tarball(t, tar.Header{Name: "../", Typeflag: tar.TypeDir}), "unsafe_path", ""},
		"newline":           {tarball(t, file("a\nb", "x")), "unsafe_path", "control"},
		"long":              {tarball(t, file(strings.Repeat("ab/", 400)+"x", "")), "unsafe_path", "too long"},
		"long segment":      {tarball(t, file(strings.Repeat("a", 300), "")), "unsafe_path", "too long"},
		"symlink out":       {tarball(t, tar.Header{Name: "up", Linkname: "../../etc", Typeflag: tar.TypeSymlink}), "unsafe_link", "up to ../../etc"},
		"symlink in":        {tarball(t, tar.Header{Name: "in", Linkname: "a", Typeflag: tar.TypeSymlink}), "unsafe_link", "symbolic"},
		"hard link":         {tarball(t, tar.Header{Name: "h", Linkname: "/etc/shadow", Typeflag: tar.TypeLink}), "unsafe_link", "hard"},
		"device":            {tarball(t, tar.Header{Name: "dev", Typeflag: tar.TypeChar}), "unsupported_entry", "dev"},
		"pipe":              {tarball(t, tar.Header{Name: "pipe", Typeflag: tar.TypeFifo}), "unsupported_entry", "pipe"},
		"twice":             {tarball(t, file("a", "1"), file("./a", "2")), "duplicate_entry", "./a"},
		"folder for a file": {tarball(t, file("a", "1"), tar.Header{Name: "a/", Typeflag: tar.TypeDir}), "duplicate_entry", "a/"},
		"file in a file":    {tarball(t, file("a", "1"), file("a/b", "2")), "duplicate_entry", "a/b"},
		"file for a folder": {tarball(t, file("a/b", "1"), file("a", "2")), "duplicate_entry", ""},
		"file for the root": {tarball(t, file(".", "1")), "unsafe_path", ""},
		"many":              {tarball(t, file("1", ""), file("2", ""), file("3", ""), file("4", "")), "archive_too_large", "3 files"},
		"big":               {tarball(t, file("big", strings.Repeat("x", 2<<20))), "archive_too_large", "1 MiB"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "in")
			os.Mkdir(dir, 0o755)
			limits := archive.Limits{Entries: 3, Size: 1 << 20, Path: 1024}
			_, err := archive.Unpack(bytes.NewReader(c.source), dir, archive.Options{Limits: limits})
			f, ok := errors.AsType[*slipway.Failure](err)
			if !ok {
				t.Fatalf("error %v is no failure", err)
			}
			if f.Code != c.code || f.Step != "unpack" || !strings.Contains(f.Message, c.message) {
				t.Errorf("got %s in %s: %s", f.Code, f.Step, f.Message)
			}
			if outside, _ := os.ReadDir(parent); len(outside) != 1 {
				t.Errorf("something was written outside: %v", outside)
			}
		})
	}
}

func TestUnpackRefusesBombs(t *testing.T) {
	zeros := tarball(t, file("zeros", strings.Repeat("\x00", 2<<20)))
	limits := archive.SourceLimits()
	if _, err := archive.Unpack(bytes.NewReader(zeros), t.TempDir(), archive.Options{Limits: limits}); err != nil {
		t.Errorf("a small one is refused: %v", err)
	}
	limits.RatioFrom = 1 << 20
	_, err := archive.Unpack(bytes.NewReader(zeros), t.TempDir(), archive.Options{Limits: limits})
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "archive_too_large" {
		t.Errorf("got %v", err)
	}
}

// A file with a hole claims more than its bytes in the tarball.
func TestUnpackRefusesHoles(t *testing.T) {
	header := make([]byte, 512)
	copy(header, "hole")
	copy(header[100:], "0000644\x00")
	copy(header[124:], "00000000000\x00") // bytes in the tarball
	copy(header[136:], "00000000000\x00")
	copy(header[148:], "        ")
	header[156] = 'S'
	copy(header[257:], "ustar  \x00")
	copy(header[483:], "37777777777\x00") // bytes with the hole: 4 GiB
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:], []byte(octal(sum)+"\x00 "))
	source := zip(append(header, make([]byte, 1024)...))
	_, err := archive.Unpack(bytes.NewReader(source), t.TempDir(), archive.Options{Limits: archive.SourceLimits()})
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "archive_too_large" {
		t.Errorf("got %v", err)
	}
}

func octal(n int) string {
	digits := []byte("000000")
	for i := 5; n > 0; i-- {
		digits[i], n = byte('0'+n%8), n/8
	}
	return string(digits)
}

type dying struct{ after io.Reader }

var errDied = errors.New("connection lost")

func (d dying) Read(p []byte) (int, error) {
	n, err := d.after.Read(p)
	if err == io.EOF {
		err = errDied
	}
	return n, err
}

// A source that can not be read is not the user's fault.
func TestUnpackLeavesOtherErrorsAlone(t *testing.T) {
	good := tarball(t, file("a", strings.Repeat("some text ", 5000)))
	for _, cut := range []int{0, 5, len(good) / 2} {
		_, err := archive.Unpack(dying{bytes.NewReader(good[:cut])}, t.TempDir(), archive.Options{})
		if !errors.Is(err, errDied) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

// Whatever is flipped in a tarball, it is refused or unpacked inside.
func TestUnpackSurvivesDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	reader, _ := gzip.NewReader(bytes.NewReader(tarball(t, file("a/b", "text"), file("c", "more"),
		tar.Header{Name: "l", Linkname: "../..", Typeflag: tar.TypeSymlink}, file("l/x", "through the link"))))
	plain, _ := io.ReadAll(reader)
	for range 100 {
		damaged := bytes.Clone(plain)
		for range 1 + r.IntN(8) {
			// In a header, where a byte matters, with its checksum left to chance.
			damaged[r.IntN(len(damaged)/512)*512+r.IntN(257)] = byte(r.IntN(256))
		}
		expectInside(t, damaged)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(tarball(f, file("a/b", "text"), tar.Header{Name: "l", Linkname: "/", Typeflag: tar.TypeSymlink}))
	f.Add(tarball(f, file("../x", "text")))
	f.Add([]byte("\x1f\x8b\x08"))
	f.Fuzz(expectInside)
}

// expectInside unpacks a source both as it is and as the content of a good
// gzip, since damage rarely keeps a checksum right.
func expectInside(t *testing.T, source []byte) {
	for _, s := range [][]byte{source, zip(source)} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "in")
		os.Mkdir(dir, 0o755)
		archive.Unpack(bytes.NewReader(s), dir, archive.Options{Limits: archive.Limits{Entries: 50, Size: 1 << 20, Path: 200}})
		if outside, _ := os.ReadDir(parent); len(outside) != 1 {
			t.Fatalf("something was written outside: %v", outside)
		}
		filepath.WalkDir(dir, func(path string, entry fs.DirEntry, _ error) error {
			if !entry.IsDir() && !entry.Type().IsRegular() {
				t.Fatalf("%s is %v", path, entry.Type())
			}
			return nil
		})
	}
}
