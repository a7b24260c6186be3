package drivertest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

func (p *place) delete(w slipway.Workload) error {
	return p.driver.Delete(p.Context(), w.Deployment, w.Instance)
}

func deletes(p *place) {
	w := p.workload()
	p.serve(w)
	if p.delete(w) == nil {
		p.Error("it was deleted while it ran")
	}
	p.stop(w, 0)
	for range 2 {
		if err := p.delete(w); err != nil {
			p.Errorf("Delete: %v", err)
		}
		if o := p.inspect(w); o.Phase != slipway.PhaseAbsent {
			p.Errorf("deleted: %+v", o)
		}
	}
	p.reopen()
	if list, err := p.driver.List(p.Context()); len(list) != 0 || err != nil {
		p.Errorf("List = %+v, %v", list, err)
	}
	if text := p.output(w, 0, 100); text != "" {
		p.Errorf("its output is left: %q", text)
	}
	p.serve(w) // nothing stands in the way of the same ids
}

func deleteLeavesNothing(p *place) {
	w := p.workload()
	p.serve(w)
	folder := p.world.Folder(w.Deployment, w.Instance)
	outside := filepath.Join(p.TempDir(), "outside")
	p.try(os.MkdirAll(filepath.Join(outside, "kept"), 0o700))
	p.try(os.MkdirAll(filepath.Join(folder, "work"), 0o700))
	p.try(os.Symlink(outside, filepath.Join(folder, "work", "link")))
	p.try(os.MkdirAll(filepath.Join(folder, "work", "closed", "inner"), 0o700))
	p.try(os.Chmod(filepath.Join(folder, "work", "closed", "inner"), 0))
	p.try(os.Chmod(filepath.Join(folder, "work", "closed"), 0))
	p.stop(w, 0)
	p.try(p.delete(w))
	for filepath.Base(folder) != string(w.Deployment) {
		folder = filepath.Dir(folder)
	}
	if _, err := os.Lstat(folder); err == nil {
		p.Error("the folder of the deployment is left")
	}
	if _, err := os.Stat(filepath.Join(outside, "kept")); err != nil {
		p.Errorf("what a link pointed to is gone: %v", err)
	}
}

func (p *place) try(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func purges(p *place) {
	w, other := p.workload(), p.workload()
	w.Stateful, other.Stateful = true, true
	p.serve(w)
	p.serve(other)
	state := p.world.State(w.Deployment)
	p.try(os.WriteFile(filepath.Join(state, "threads"), []byte("kept"), 0o600))
	if p.driver.Purge(p.Context(), w.Deployment) == nil {
		p.Error("purged while it ran")
	}
	p.stop(w, 0)
	p.try(p.delete(w))
	if _, err := os.Stat(filepath.Join(state, "threads")); err != nil {
		p.Errorf("Delete took the state: %v", err)
	}
	for range 2 {
		p.try(p.driver.Purge(p.Context(), w.Deployment))
		if _, err := os.Lstat(state); err == nil {
			p.Error("the state is left")
		}
	}
	if _, err := os.Stat(p.world.State(other.Deployment)); err != nil {
		p.Errorf("another deployment's state is gone: %v", err)
	}
}

func stateOutlives(p *place) {
	first := p.workload()
	first.Stateful = true
	second := p.workload()
	second.Stateful, second.Deployment = true, first.Deployment
	folder := p.get(p.serve(first), "/value?name=SLIPWAY_STATE_DIR")
	p.stop(first, 0)
	p.try(p.delete(first))
	if again := p.get(p.serve(second), "/value?name=SLIPWAY_STATE_DIR"); again != folder || folder == "" {
		p.Errorf("state in %q, then in %q", folder, again)
	}
}

// keeps: what an instance keeps is there for its next attempt, whoever starts that,
// and however the last one ended; it is no state, which others may copy meanwhile;
// and it goes with the instance.
func keeps(p *place) {
	w := p.workload()
	w.Keeps, w.Limits.DiskMB = true, diskLimit
	o := p.serve(w)
	folder := p.get(o, "/value?name=SLIPWAY_KEEP_DIR")
	if p.get(o, "/value?name=SLIPWAY_STATE_DIR") != "" || folder == "" {
		p.Errorf("it keeps %q, and has state", folder)
	}
	p.post(o, "/write?path="+folder+"/file")
	p.reopen()
	p.try(p.driver.Snapshot(p.Context(), w.Deployment, "before"))
	p.try(p.driver.Restore(p.Context(), w.Deployment, "before"))
	p.try(p.driver.Discard(p.Context(), w.Deployment, "before"))
	p.post(o, fmt.Sprintf("/fill?bytes=%d", 2*diskLimit<<20)) // beside it
	if e := p.exited(w).Exit; !e.OutOfDisk {
		p.Errorf("exit = %+v", e)
	}
	w.Attempt = 2
	if text := p.get(p.serve(w), "/read?path="+folder+"/file"); text != "written" {
		p.Errorf("it has kept %q", text)
	}
	p.stop(w, 0)
	p.try(p.delete(w))
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		p.Errorf("what it kept is left: %v", err)
	}
}

// startStranger starts a process that is not an instance and returns how to
// check that it was left alone. It is nil where agents are no processes.
func startStranger(p *place) func() {
	if !p.world.Processes {
		return nil
	}
	stranger := exec.Command("sleep", "3600")
	p.try(stranger.Start())
	p.Cleanup(func() { stranger.Process.Kill(); stranger.Wait() })
	return func() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", stranger.Process.Pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			p.Errorf("the stranger ended: %s, %v", stat, err)
		}
	}
}

func listIsComplete(p *place) {
	running, ended, deleted := p.workload(), p.workload("-exit=1"), p.workload("-exit=1")
	p.serve(running)
	for _, w := range []slipway.Workload{ended, deleted} {
		p.apply(w)
		p.exited(w)
	}
	p.try(p.delete(deleted))
	for range 2 {
		list, err := p.driver.List(p.Context())
		if err != nil || len(list) != 2 {
			p.Fatalf("List = %+v, %v", list, err)
		}
		for _, w := range []slipway.Workload{running, ended} {
			o := p.inspect(w)
			if !slices.ContainsFunc(list, func(l slipway.Observed) bool {
				return l.Instance == o.Instance && l.Deployment == o.Deployment && l.Phase == o.Phase && l.Attempt == o.Attempt
			}) {
				p.Errorf("%+v is not in %+v", o, list)
			}
		}
		p.reopen()
	}
}

func outputIsStable(p *place) {
	w := p.workload("-print=" + strings.TrimSpace(manyLines(100)))
	p.post(p.serve(w), "/exit?code=1")
	p.exited(w)
	text := manyLines(100)
	if got := p.output(w, 0, 1<<20); got != text {
		p.Fatalf("output %q", got)
	}
	w.Attempt = 2
	p.serve(w)
	p.reopen()
	testsignal.Until(p, "the output of both attempts", func() bool { return p.output(w, 0, 1<<20) == text+text })
	if got := p.output(w, 10, 7); got != (text + text)[10:17] {
		p.Errorf("at 10: %q", got)
	}
	if got := p.output(w, int64(len(text)), 6); got != "line 0" {
		p.Errorf("at the second attempt: %q", got)
	}
	if got := p.output(w, 1<<40, 10); got != "" {
		p.Errorf("behind the end: %q", got)
	}
}

func noLeakIn(p *place) {
	p.Setenv("SLIPWAY_TEST_LEAK", "1")
	w := p.workload()
	w.Env = []slipway.EnvVar{{Name: "MINE", Value: "it's \"quoted\" $HOME\nand long"}, {Name: "HOME", Value: "/elsewhere"}}
	o := p.serve(w)
	names := strings.Fields(p.get(o, "/env"))
	given := []string{"MINE", "PATH", "HOME", "PORT", "HOST", "SLIPWAY_INSTANCE", "SLIPWAY_ATTEMPT"}
	if w.Image == "" {
		given = append(given, "TMPDIR") // an image has its own way
	}
	for _, name := range given {
		if !slices.Contains(names, name) {
			p.Errorf("it lacks %s", name)
		}
	}
	for _, name := range []string{"SLIPWAY_TEST_LEAK", "SLIPWAY_STATE_DIR", "GOPATH", "USER"} {
		if slices.Contains(names, name) {
			p.Errorf("it has %s", name)
		}
	}
	if got := p.get(o, "/value?name=MINE"); got != w.Env[0].Value {
		p.Errorf("MINE = %q", got)
	}
	if got := p.get(o, "/value?name=HOME"); got == "/elsewhere" && w.Image == "" {
		p.Errorf("HOME = %q", got)
	}
}

const canary = "canary-7f3a9b-of-a-secret"

func noLeakOut(p *place) {
	w := p.workload("-print=words")
	w.Env = []slipway.EnvVar{{Name: "API_KEY", Value: canary}}
	p.serve(w)
	testsignal.Until(p, "its output, which lies in a file", func() bool { return p.output(w, 0, 100) != "" })
	p.holdsNo(canary, p.world.Folder(w.Deployment, w.Instance))
	p.stop(w, time.Minute)
	p.holdsNo(canary, p.world.Folder(w.Deployment, w.Instance))
}

// holdsNo searches every file below a folder.
func (p *place) holdsNo(secret, folder string) {
	p.Helper()
	files := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secret)) {
			p.Errorf("the secret is in %s", path)
		}
		return err
	})
	if err != nil || files == 0 {
		p.Errorf("searched %d files: %v", files, err)
	}
}

func secretsAreMasked(p *place) {
	w := p.workload()
	w.Env = []slipway.EnvVar{{Name: "API_KEY", Value: canary}, {Name: "SHORT", Value: "key"}, {Name: "PLACE", Value: "/srv/app", Public: true}}
	o := p.serve(w)
	status, _ := p.request(http.MethodPost, o, "/print?line="+url.QueryEscape("bad key "+canary+" in /srv/app"))
	if status != http.StatusOK {
		p.Fatal("it does not print")
	}
	p.post(o, "/exit?code=1")
	if e := p.exited(w).Exit; e.Reason != "bad key *** in /srv/app" {
		p.Errorf("reason %q", e.Reason)
	}
}
