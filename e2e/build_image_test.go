package e2e_test

import (
	"os"
	"strings"
	"testing"

	dockerclient "github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/internal/basetest"
	"github.com/slipwayhq/slipway/internal/dockertest"
)

// What is uploaded becomes an image, in the place of a bundle, serves from it, is
// built once, hands its state over to the next, whenever the server dies, and is
// gone with its deployment.
func TestSourceBecomesImage(t *testing.T) {
	t.Parallel()
	e := dockertest.Shared(t)
	c := e.Client(t)
	basetest.Node(t, c, "node-of-e2e:20")
	s := newServer(t, "--docker-host", e.Host(), "--handover-wait", "1s")
	t.Cleanup(func() { s.removeContainers(e) })
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	bundle := d.talk()

	s.stop()
	s.args = append(s.args, "--source-builds", "image", "--base-image-node", "node-of-e2e:20")
	s.start()
	end := d.await(d.push(pack(t, echo, map[string]string{"src/graph.ts": leavesATrace + d.graph()})))
	if end.Status != "DEPLOY_FAILED" || !strings.Contains(deref(end.StatusMessage), "hand-over test") {
		t.Errorf("the first image: %s %s", end.Status, deref(end.StatusMessage))
	}
	bundle.goesOn("a first image that failed")

	app := pack(t, echo, map[string]string{"src/graph.ts": findsNoTrace + d.graph()})
	first := d.deploy(app)
	if first.Artefact == nil || !strings.HasPrefix(deref(first.Artefact.Image), "sha256:") {
		t.Errorf("it runs %+v", first.Artefact)
	}
	image, err := c.ImageInspect(t.Context(), deref(first.Artefact.Image))
	must(t, err)
	owner := image.Config.Labels["slipway.image.owner"] // others build on this engine too
	if owner == "" {
		t.Fatal("the image names no owner")
	}
	if got := d.asked("/ok"); !strings.Contains(got, "true") {
		t.Errorf("got %s", got)
	}
	if log := d.buildLog(first); !strings.Contains(log, "RUN npm ci") || !strings.Contains(log, "Built image") {
		t.Errorf("build log:\n%s", log)
	}
	again := d.deploy(app)
	if log := d.buildLog(again); !strings.Contains(log, "Nothing has changed") || strings.Contains(log, "npm") {
		t.Errorf("log of the same again:\n%s", log)
	}
	d.handsOverImages()
	d.handsOverThoughTheServerDies(e, again)
	broken := d.await(d.push(pack(t, "../examples/echo-js", map[string]string{
		"package.json": `{"dependencies": {"@langchain/langgraph": "99.0.0"}}`, "package-lock.json": "",
	})))
	if broken.Status != "BUILD_FAILED" || !strings.Contains(deref(broken.StatusMessage), "99.0.0") {
		t.Errorf("a dependency that is not there: %s, %s", broken.Status, deref(broken.StatusMessage))
	}
	s.diesWhileDeleting(d.id)
	eventually(t, "its images are gone", func() bool {
		list, err := c.ImageList(t.Context(), dockerclient.ImageListOptions{Filters: make(dockerclient.Filters).Add("label", "slipway.image.owner="+owner)})
		must(t, err)
		return len(list.Items) == 0
	})
}

// handsOverImages has containers take over the state of others while clients go
// on, and give it back where they fail.
func (d *deployment) handsOverImages() {
	d.t.Helper()
	thread := d.talk()
	clients := d.load(8)
	for _, name := range []string{"another revision", "a third revision"} {
		before, from := clients.seen(), fileSize(d.t, d.server.log)
		d.deploy(pack(d.t, echo, map[string]string{"README.md": name}))
		d.stoodBy(from)
		thread.goesOn(name)
		eventually(d.t, "runs end after the rollout", func() bool { return clients.seen() > before })
	}
	clients.end()
	clients = d.patientLoad(8)
	end := d.await(d.push(pack(d.t, echo, map[string]string{"src/graph.ts": ruinsState + "\n" + d.graph()})))
	if end.Status != "DEPLOY_FAILED" || !strings.Contains(deref(end.StatusMessage), "hand-over test") {
		d.t.Errorf("what ruins its state: %s %s", end.Status, deref(end.StatusMessage))
	}
	thread.goesOn("what ruined it")
	clients.end()
}

// handsOverThoughTheServerDies has the server killed in phases of a hand-over
// between containers: the next one ends it, nothing that a thread was told is lost,
// and neither is a run that had begun.
func (d *deployment) handsOverThoughTheServerDies(e *dockertest.Engine, r wire.Revision) {
	d.t.Helper()
	thread := d.talk()
	for _, step := range []string{"step=yield", "step=snapshot", "step=free"} {
		from, busy := fileSize(d.t, d.log), ""
		v, err := d.Redeploy(d.t.Context(), d.id, r.ID)
		must(d.t, err)
		comesTo := func(step string) bool {
			log, err := os.ReadFile(d.log)
			must(d.t, err)
			return strings.Contains(string(log[from:]), step)
		}
		eventually(d.t, "the new container is started", func() bool { return comesTo("step=start ") })
		if step == "step=yield" {
			busy, _ = d.beginsRun(8_000)
		}
		eventually(d.t, "the server comes to "+step, func() bool { return comesTo(step) || comesTo("status=DEPLOYED") })
		d.kill()
		d.start()
		if end := d.serves(); end.ID != *v.LatestRevisionID {
			d.t.Errorf("killed at %s: revision %s serves", step, end.ID)
		}
		thread.goesOn("a death at " + step)
		if busy != "" && !strings.Contains(d.asked("/threads/"+busy+"/state"), "done: work") {
			d.t.Errorf("killed at %s: the run that had begun is lost", step)
		}
		eventually(d.t, "one container is left", func() bool { return len(d.containers(e)) == 1 })
	}
}

// stoodBy expects, of the last rollout, that the new container was started and had
// loaded before requests were held for it, and that none was started meanwhile.
func (d *deployment) stoodBy(from int64) {
	d.t.Helper()
	log, err := os.ReadFile(d.server.log)
	must(d.t, err)
	rest := string(log[from:])
	for _, step := range []string{"step=start ", `step=move why="it has loaded"`, "step=yield ", "step=snapshot ", "step=free ", "status=DEPLOYED"} {
		before, after, found := strings.Cut(rest, step)
		if !found || step != "step=start " && strings.Contains(before, "step=start ") {
			d.t.Errorf("in the rollout, %q is not where it belongs:\n%s", step, log[from:])
			return
		}
		rest = after
	}
}

// graph is the source of the app's graphs.
func (d *deployment) graph() string {
	d.t.Helper()
	text, err := os.ReadFile(echo + "/src/graph.ts")
	must(d.t, err)
	return string(text)
}

var (
	// leavesATrace writes into the state, and ends.
	leavesATrace = onceOwned(`write(states + "/trace", "");`) + "\n"
	// findsNoTrace ends where that has been.
	findsNoTrace = `import { existsSync as left } from "node:fs";
if (left((globalThis as any).process.env.SLIPWAY_STATE_DIR + "/trace")) throw new Error("what failed has left a trace");
`
)
