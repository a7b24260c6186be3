package drivertest

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing/iotest"

	"github.com/slipwayhq/slipway"
)

// exported are the entries of a deployment's archive.
func (p *place) exported(id slipway.DeploymentID) (map[string]*tar.Header, map[string]string) {
	p.Helper()
	var archive bytes.Buffer
	p.try(p.driver.Export(p.Context(), id, &archive))
	headers, contents := map[string]*tar.Header{}, map[string]string{}
	for entries := tar.NewReader(&archive); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return headers, contents
		}
		p.try(err)
		content, err := io.ReadAll(entries)
		p.try(err)
		headers[entry.Name], contents[entry.Name] = entry, string(content)
	}
}

// exports has owners, modes and links in the archive, and nothing that a link
// leads to.
func exports(p *place) {
	w := p.workload()
	w.Stateful = true
	p.serve(w)
	state := p.world.State(w.Deployment)
	outside := filepath.Join(p.TempDir(), "outside")
	long := strings.Repeat("long/", 60) + "name"
	p.try(os.WriteFile(outside, []byte("not of it"), 0o600))
	p.try(os.MkdirAll(filepath.Join(state, filepath.Dir(long)), 0o750))
	p.try(os.WriteFile(filepath.Join(state, long), []byte("far down"), 0o600))
	p.try(os.WriteFile(filepath.Join(state, "threads"), []byte("kept"), 0o640))
	p.try(os.Symlink(outside, filepath.Join(state, "link")))
	if os.Geteuid() == 0 {
		p.try(os.Chown(filepath.Join(state, "threads"), 1234, 4321))
	}
	if p.driver.Export(p.Context(), w.Deployment, io.Discard) == nil {
		p.Error("exported while it was open")
	}
	p.stop(w, 0)
	p.try(p.delete(w))
	p.reopen()
	headers, contents := p.exported(w.Deployment)
	for name, want := range map[string]string{"state/threads": "kept", "state/" + long: "far down", "state/link": "", "state/": ""} {
		if headers[name] == nil || contents[name] != want {
			p.Errorf("%s: %+v, %q, want %q", name, headers[name], contents[name], want)
		}
	}
	if h := headers["state/threads"]; h != nil && (h.Mode&0o777 != 0o640 || os.Geteuid() == 0 && (h.Uid != 1234 || h.Gid != 4321)) {
		p.Errorf("threads is %o of %d:%d", h.Mode, h.Uid, h.Gid)
	}
	if h := headers["state/link"]; h != nil && (h.Typeflag != tar.TypeSymlink || h.Linkname != outside) {
		p.Errorf("the link is %c to %s", h.Typeflag, h.Linkname)
	}
	p.try(p.driver.Purge(p.Context(), w.Deployment))
	if err := p.driver.Export(p.Context(), w.Deployment, io.Discard); !errors.Is(err, slipway.ErrNoState) {
		p.Errorf("after Purge: %v", err)
	}
}

func exportsNothing(p *place) {
	w := p.workload()
	nothing := func() {
		if err := p.driver.Export(p.Context(), w.Deployment, io.Discard); !errors.Is(err, slipway.ErrNoState) {
			p.Errorf("Export = %v", err)
		}
	}
	nothing()
	p.serve(w) // it keeps no state
	p.stop(w, 0)
	nothing()
	if p.driver.Export(p.Context(), "..", io.Discard) == nil {
		p.Error("exported what has a bad name")
	}
}

// imports has a state come into another deployment, in the place of what that has,
// and of what a former try left.
func imports(p *place) {
	from, at := p.stateOf(map[string]string{"threads": "kept", "deep/er/runs": "two"})
	p.try(os.Symlink("threads", at("link")))
	var archive bytes.Buffer
	p.try(p.driver.Export(p.Context(), from, &archive))
	d, at := p.stateOf(map[string]string{"threads": "own", "added": "own"})
	whole := archive.Bytes()
	torn := io.MultiReader(bytes.NewReader(whole[:600]), iotest.ErrReader(io.ErrUnexpectedEOF))
	if p.driver.Import(p.Context(), d, "from", false, torn) == nil {
		p.Error("a torn archive was imported")
	}
	for range 2 { // it is there
		p.try(p.driver.Import(p.Context(), d, "from", false, bytes.NewReader(whole)))
	}
	if text := p.read(at("threads")); text != "own" {
		p.Errorf("before it is restored: %q", text)
	}
	p.reopen()
	p.restore(d, "from")
	if text := p.read(at("threads")) + p.read(at("link")) + p.read(at("deep/er/runs")); text != "keptkepttwo" {
		p.Errorf("restored: %q", text)
	}
	if _, err := os.Lstat(at("added")); err == nil {
		p.Error("what it had is left")
	}
	if info, err := os.Stat(at("threads")); err != nil || info.Mode().Perm() != 0o640 {
		p.Errorf("permissions of the file: %v, %v", info, err)
	}
	p.try(p.driver.Discard(p.Context(), d, "from"))
	w := p.workload()
	w.Deployment, w.Stateful = d, true
	p.serve(w) // whoever is its user now
	p.stop(w, 0)
	p.try(p.delete(w))
	if p.driver.Import(p.Context(), d, "../state", false, bytes.NewReader(whole)) == nil {
		p.Error("imported under a bad name")
	}
}
