package e2e_test

import (
	"strings"
	"testing"

	dockerclient "github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/internal/basetest"
	"github.com/slipwayhq/slipway/internal/dockertest"
)

// What is uploaded becomes an image, serves from it, is built once, and is gone
// with its deployment.
func TestSourceBecomesImage(t *testing.T) {
	t.Parallel()
	e := dockertest.Shared(t)
	c := e.Client(t)
	basetest.Node(t, c, "node-of-e2e:20")
	s := onEngine(t, e, "--source-builds", "image", "--base-image-node", "node-of-e2e:20")
	app := pack(t, "../examples/echo-js", nil)
	d := s.create("echo")
	first := d.deploy(app)
	if first.Artefact == nil || !strings.HasPrefix(deref(first.Artefact.Image), "sha256:") {
		t.Errorf("it runs %+v", first.Artefact)
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
	broken := d.await(d.push(pack(t, "../examples/echo-js", map[string]string{
		"package.json": `{"dependencies": {"@langchain/langgraph": "99.0.0"}}`, "package-lock.json": "",
	})))
	if broken.Status != "BUILD_FAILED" || !strings.Contains(deref(broken.StatusMessage), "99.0.0") {
		t.Errorf("a dependency that is not there: %s, %s", broken.Status, deref(broken.StatusMessage))
	}
	must(t, s.DeleteDeployment(t.Context(), d.id, client.DeleteOptions{Now: true}))
	eventually(t, "its images are gone", func() bool {
		list, err := c.ImageList(t.Context(), dockerclient.ImageListOptions{Filters: make(dockerclient.Filters).Add("label", "slipway.image.owner")})
		must(t, err)
		return len(list.Items) == 0
	})
}
