package python

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/toolchain"
)

// pip is for who asks for it, and where uv can not be had. It needs no
// installation: the interpreter runs its wheel.
type pip struct {
	*job
	found toolchain.Pip
}

func (p pip) tool() (string, string) { return "pip", p.found.Version }

func (p pip) args(args ...string) []string {
	return append([]string{p.python.Path, "-S", p.found.Path, "install"}, args...)
}

// resolve tries the server's own versions first. pip has no preferences, so that
// where one does not fit, none is asked for.
func (p pip) resolve(ctx context.Context, s surveyed, r requirements) (lock, error) {
	asked, err := p.write("requirements.in", p.file(r))
	if err != nil {
		return lock{}, err
	}
	limits, err := p.write("constraints.txt", p.constraints(s))
	if err != nil {
		return lock{}, err
	}
	l, err := p.report(ctx, r, "-r", asked, "-c", limits)
	f, ok := errors.AsType[*slipway.Failure](err)
	if ok && slices.Contains([]string{"version_conflict", "dependency_conflict", "dependency_not_found"}, f.Code) {
		return p.report(ctx, r, "-r", asked)
	}
	return l, err
}

// constraints are the server's versions of what the app does not list itself.
func (p pip) constraints(s surveyed) string {
	l := p.known
	l.pinned = slices.DeleteFunc(slices.Clone(l.pinned), func(k pinned) bool { return slices.Contains(s.Listed, k.name) })
	return l.constraints()
}

// report has pip say what it would install.
func (p pip) report(ctx context.Context, r requirements, args ...string) (lock, error) {
	file := filepath.Join(p.scratch, "report.json")
	// An editable package is always built to be known.
	said, err := p.attempt(ctx, p.scratch, len(r.edits) > 0,
		p.args(append([]string{"--dry-run", "--ignore-installed", "--report", file}, args...)...), func() error { return nil })
	if err = p.explain(said, "resolve the dependencies", err); err != nil {
		return lock{}, err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return lock{}, err
	}
	return readReport(content)
}

func readReport(content []byte) (lock, error) {
	var report struct {
		Install []struct {
			Metadata     struct{ Name, Version string }
			DownloadInfo struct {
				URL         string
				DirInfo     *struct{}                           `json:"dir_info"`
				VCSInfo     *struct{ VCS, CommitID string }     `json:"vcs_info"`
				ArchiveInfo *struct{ Hashes map[string]string } `json:"archive_info"`
			} `json:"download_info"`
			IsDirect bool `json:"is_direct"`
		}
	}
	if err := json.Unmarshal(content, &report); err != nil {
		return lock{}, err
	}
	var l lock
	for _, i := range report.Install {
		d, name := i.DownloadInfo, normalised(i.Metadata.Name)
		switch {
		case d.DirInfo != nil:
			l.local = append(l.local, strings.TrimPrefix(d.URL, "file://"))
		case i.IsDirect:
			l.direct = append(l.direct, name+" @ "+d.URL)
		default:
			pin := pinned{name: name, version: i.Metadata.Version}
			if d.ArchiveInfo != nil {
				pin.hashes = []string{"sha256:" + d.ArchiveInfo.Hashes["sha256"]}
			}
			l.pinned = append(l.pinned, pin)
		}
	}
	slices.SortFunc(l.pinned, func(a, b pinned) int { return strings.Compare(a.name, b.name) })
	slices.Sort(l.direct)
	return l, nil
}

func (p pip) install(ctx context.Context, l lock, site string) error {
	if err := os.MkdirAll(site, 0o755); err != nil {
		return err
	}
	args := p.args("--target", site, "--no-deps", "--no-compile", "--no-warn-script-location", "-r")
	file, err := p.written(l.only(false))
	if err != nil {
		return err
	}
	said, err := p.attempt(ctx, p.scratch, false, append(args, file, "--require-hashes"), func() error { return nil })
	if err = p.explain(said, "install the dependencies", err); err != nil || len(l.direct) == 0 {
		return err
	}
	if file, err = p.written(l.only(true)); err != nil {
		return err
	}
	said, err = p.build(ctx, p.scratch, append(args, file)...)
	return p.explain(said, "install the dependencies", err)
}

func (p pip) link(ctx context.Context, folders []string, site string) error {
	args := p.args("--target", site, "--no-deps", "--no-compile", "--no-warn-script-location")
	for _, folder := range folders {
		args = append(args, "--editable", filepath.Join(p.app.Dir, folder))
	}
	said, err := p.build(ctx, p.scratch, args...)
	return p.explain(said, "install the app's own packages", err)
}
