package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// hide is an installation that never ends, and hides children from whoever
// looks for them: in sessions of their own, without the variables they were
// started with, with parents that are gone.
const hide = `
import { spawn } from "node:child_process";
const token = process.argv[2];
const child = spawn("setsid", ["sh", "-c", "sleep " + token + "1 & exec sleep " + token + "2"], { detached: true, stdio: "ignore", env: { PATH: "/usr/bin:/bin" } });
child.unref();
spawn("sh", ["-c", "(trap '' TERM; sleep " + token + "3) &"], { stdio: "inherit" }).on("exit", () => console.log("hidden"));
setInterval(() => {}, 1000);
`

// build begins the build of an app that hides processes, and waits until it has.
func (d *deployment) build(token string) wire.Revision {
	d.t.Helper()
	app := pack(d.t, echo, map[string]string{
		"hide.mjs": hide, "package-lock.json": "",
		"package.json": fmt.Sprintf(`{"type": "module", "scripts": {"hide": "node hide.mjs %s"}}`, token),
	})
	_, err := d.PatchDeployment(d.t.Context(), d.id, wire.DeploymentPatchRequest{SourceConfig: &wire.SourceConfigRequest{InstallCommand: new("npm run hide")}})
	must(d.t, err)
	r := d.push(app)
	eventually(d.t, "the build has hidden its processes", func() bool { return len(sleepers(token)) == 3 })
	return r
}

// sleepers lists processes that sleep for a number of seconds that begins so.
func sleepers(token string) (found []string) {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		if args, err := os.ReadFile(process + "/cmdline"); err == nil && bytes.HasPrefix(args, []byte("sleep\x00"+token)) {
			found = append(found, process)
		}
	}
	return found
}

// However a build is cancelled, and however its processes hide, none is left.
func TestCancelledBuildsLeaveNoProcess(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for n, c := range []struct {
		name   string
		cancel func(*deployment, wire.Revision) error
	}{
		{"by deletion", func(d *deployment, _ wire.Revision) error {
			return d.DeleteDeployment(t.Context(), d.id, client.DeleteOptions{})
		}},
		{"by interruption", func(d *deployment, r wire.Revision) error { return d.Interrupt(t.Context(), d.id, r.ID) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := s.create(strings.ReplaceAll(c.name, " ", "-"))
			token := fmt.Sprintf("%d%d", os.Getpid(), n)
			r := d.build(token)
			must(t, c.cancel(d, r))
			eventually(t, "the processes of the build are gone", func() bool { return len(sleepers(token)) == 0 })
			if n == 0 {
				must(t, d.WaitGone(t.Context(), d.id))
			} else if r = d.await(r); r.Status != "INTERRUPTED" {
				t.Errorf("revision is %s", r.Status)
			}
			eventually(t, "nothing of the build is left", func() bool {
				left, err := os.ReadDir(filepath.Join(s.data, "tmp"))
				return err == nil && len(left) == 0
			})
		})
	}
}
