package python

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/build/kind/internal/shelf"
)

// installOwn makes the app's own packages importable where they lie.
func (j *job) installOwn(ctx context.Context, s surveyed, l lock) error {
	site := filepath.Join(j.app.Dir, ownFolder, "site")
	// Code of the app may have run: what it laid here is not gone through.
	if err := os.RemoveAll(filepath.Join(j.app.Dir, ownFolder)); err != nil {
		return err
	}
	if err := os.MkdirAll(site, 0o755); err != nil {
		return err
	}
	if folders := projects(s, l); len(folders) > 0 {
		fmt.Fprintf(j.log, "Installing the app's own packages: %s\n", strings.Join(folders, ", "))
		if err := j.link(ctx, s, folders, site); err != nil {
			return err
		}
		if err := stillFolders(filepath.Dir(site), site); err != nil {
			return err
		}
	}
	for _, f := range s.Folders {
		if f.Kind != projectFolder {
			if err := j.place(f, site); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(
		relocate(site, j.app.Dir, j.app.Home),
		putIn(j.app.Dir, filepath.Join(ownFolder, "requirements.txt"), []byte(l.String())),
	); err != nil {
		return err
	}
	return j.compile(ctx, j.app.Dir, j.app.Home, j.app.Dir)
}

// stillFolders fails if what was a folder before code of the app ran is none.
func stillFolders(dirs ...string) error {
	for _, dir := range dirs {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			return fail("folder_replaced", "The build of the app's own packages has replaced the folder %s.", ownFolder)
		}
	}
	return nil
}

// projects are folders that have to be installed: those that are listed, and
// those that only a package names as its dependency.
func projects(s surveyed, l lock) []string {
	folders := slices.Clone(l.local)
	for _, f := range s.Folders {
		if f.Kind == projectFolder {
			folders = append(folders, f.Folder)
		}
	}
	slices.Sort(folders)
	return folders
}

// elsewhere stands for the app's folder in what is kept of its packages.
const elsewhere = "/slipway-app-folder"

// link installs the app's own packages, or takes what came of it the last time
// that they were put together in the same way. Their code stays where it is: of
// an installation there are only names and places.
func (j *job) link(ctx context.Context, s surveyed, folders []string, site string) error {
	kept := filepath.Join(j.cache, "python-links", j.layout(s, folders))
	if shelf.Has(kept) {
		return copySite(filepath.Join(kept, "site"), site, elsewhere, j.app.Dir)
	}
	before, err := files(j.app.Dir)
	if err != nil {
		return err
	}
	if err := errors.Join(j.with.link(ctx, folders, site), tidy(site)); err != nil {
		return err
	}
	made, err := j.left(before)
	if err != nil || made {
		return err // it compiled something in its folder
	}
	return j.shelf.Put(ctx, kept, "another build keeps the same", io.Discard, func(work string) error {
		return copySite(site, filepath.Join(work, "site"), j.app.Dir, elsewhere)
	})
}

func (j *job) layout(s surveyed, folders []string) string {
	sum := sha256.New()
	tool, version := j.with.tool()
	fmt.Fprintf(sum, "%s 3.%d %s %s %q\n", Format, j.python.Minor(), tool, version, folders)
	for _, f := range s.Folders {
		fmt.Fprintf(sum, "%s %s %s\n", f.Folder, f.Layout, f.Inputs)
	}
	for _, name := range folders { // one that another one names was not surveyed
		if !slices.ContainsFunc(s.Folders, func(f folder) bool { return f.Folder == name }) {
			content, _ := os.ReadFile(filepath.Join(j.app.Dir, name, "pyproject.toml"))
			names, _ := files(filepath.Join(j.app.Dir, name))
			fmt.Fprintf(sum, "%s %s %q\n", name, content, slices.Sorted(maps.Keys(names)))
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// files are the names of all that lies below a folder, but for what is ours.
func files(dir string) (map[string]bool, error) {
	found := map[string]bool{}
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == ownFolder {
			return fs.SkipDir
		}
		found[strings.TrimPrefix(file, dir)] = true
		return err
	})
	return found, err
}

// left removes what a build tool tells itself, and says whether it made anything
// else.
func (j *job) left(before map[string]bool) (made bool, err error) {
	after, err := files(j.app.Dir)
	if err != nil {
		return false, err
	}
	for _, file := range slices.Sorted(maps.Keys(after)) {
		switch {
		case before[file]:
		case strings.Contains(file, ".egg-info") || strings.Contains(file, "__pycache__"):
			if err := os.RemoveAll(filepath.Join(j.app.Dir, file)); err != nil {
				return false, err
			}
		default:
			made = true
		}
	}
	return made, nil
}

// copySite copies a site with one folder named for another.
func copySite(from, to, old, new string) error {
	return filepath.WalkDir(from, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(file, from))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return os.WriteFile(target, bytes.ReplaceAll(content, []byte(old), []byte(new)), 0o644)
	})
}

// place lets a folder that is no project be imported: what it holds, or itself
// if it is a package. It gets a name for importlib.metadata, as elsewhere.
func (j *job) place(f folder, site string) error {
	if f.Kind == packageFolder && f.Folder != "." {
		target, err := filepath.Rel(site, filepath.Join(j.app.Dir, f.Folder))
		if err != nil {
			return err
		}
		if err := os.Symlink(target, filepath.Join(site, f.Name)); err != nil {
			return fail("name_taken", "The folder %s can not be imported as %s: another one has that name.", f.Folder, f.Name)
		}
	} else {
		// By its name, so that two folders do not share a file.
		file := "slipway-" + strings.ReplaceAll(f.Folder, "/", "-") + ".pth"
		if err := putIn(site, file, []byte(filepath.Join(j.app.Dir, f.Folder)+"\n")); err != nil {
			return err
		}
	}
	return describe(site, f.Name)
}

// describe writes the metadata of a folder that has none.
func describe(site, name string) error {
	dir := strings.ReplaceAll(normalised(name), "-", "_") + "-0.1.dist-info"
	metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: 0.1\n", name)
	return errors.Join(
		putIn(site, filepath.Join(dir, "METADATA"), []byte(metadata)),
		putIn(site, filepath.Join(dir, "INSTALLER"), []byte("slipway\n")),
		putIn(site, filepath.Join(dir, "RECORD"), nil),
	)
}

// leftovers of installers say when and by which command, not what.
var leftovers = []string{".lock", "uv_cache.json", "uv_build.json", "REQUESTED"}

// tidy removes from a site what differs from one installation to the next.
func tidy(site string) error {
	return filepath.WalkDir(site, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == "__pycache__" {
			if err := os.RemoveAll(file); err != nil {
				return err
			}
			return fs.SkipDir
		}
		inside := strings.HasSuffix(filepath.Dir(file), ".dist-info") || filepath.Dir(file) == site
		if inside && entry.Type().IsRegular() && slices.Contains(leftovers, entry.Name()) {
			return os.Remove(file)
		}
		return nil
	})
}

// relocate rewrites places of the app in its site to where it will be, and the
// records of what was rewritten or removed.
func relocate(site, from, to string) error {
	var records []string
	err := filepath.WalkDir(site, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if entry.Name() == "RECORD" {
			records = append(records, file)
			return nil
		}
		content, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(content, []byte(from)) {
			return err
		}
		return os.WriteFile(file, bytes.ReplaceAll(content, []byte(from), []byte(to)), 0o644)
	})
	if err != nil {
		return err
	}
	for _, record := range records {
		if err := rerecord(site, record); err != nil {
			return err
		}
	}
	return nil
}

// rerecord writes a RECORD anew for the files of it that are there.
func rerecord(site, record string) error {
	content, err := os.ReadFile(record)
	if err != nil {
		return err
	}
	var lines []string
	for line := range strings.Lines(string(content)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), ",")
		file, err := os.ReadFile(filepath.Join(site, name))
		switch {
		case errors.Is(err, fs.ErrNotExist) || name == "":
			continue
		case err != nil:
			return err
		case path.Base(name) == "RECORD":
			lines = append(lines, name+",,\n")
		default:
			sum := sha256.Sum256(file)
			lines = append(lines, fmt.Sprintf("%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(file)))
		}
	}
	slices.Sort(lines)
	return os.WriteFile(record, []byte(strings.Join(lines, "")), 0o644)
}

// compile lays the byte code of a folder beside its source, for the place where
// it will be: what is read-only later would be compiled at each start. Byte code
// is not compared with its source any more, which does not change. A file that
// does not compile is nobody's concern unless it is imported.
func (j *job) compile(ctx context.Context, from, to, dir string) error {
	code, err := command.Command{
		Args: []string{
			j.python.Path, "-I", "-S", "-m", "compileall", "-q", "-q", "-f", "-j", "2", "--invalidation-mode", "unchecked-hash",
			"-s", from, "-p", to, "-x", `/(node_modules|\.git)/`, dir,
		},
		Dir: dir, Env: append(j.environment(nil), "PYTHONHASHSEED=0"), Mark: j.scratch, Line: func(string) {},
		As: command.Fetch, In: j.box, Read: j.tools.PythonFiles(j.python), Write: j.folders(),
	}.Run(ctx)
	if err == nil && code > 1 {
		err = failure.New(stepInstall, "compile_failed", "Python ended with %d when it compiled what was installed.", code)
	}
	return err
}
