package e2e_test

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	dockerclient "github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/internal/dockertest"
)

// standin is the agent in the images of these tests.
func standin(t *testing.T) []byte {
	t.Helper()
	return dockertest.Program(t, "github.com/slipwayhq/slipway/driver/drivertest/standin")
}

// onEngine starts a server that runs images in an engine.
func onEngine(t *testing.T, e *dockertest.Engine, args ...string) *server {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	s := serverOn(t, data, append([]string{"--docker-host", e.Host()}, args...)...)
	t.Cleanup(func() { s.removeContainers(e) })
	return s
}

// image makes a deployment of an image.
func (s *server) image(name, ref string) *deployment {
	s.t.Helper()
	v, err := s.CreateDeployment(s.t.Context(), wire.DeploymentCreateRequest{
		Name: name, Source: "external_docker", Secrets: []wire.Secret{{Name: "GREETING", Value: "canary-5ecret"}},
		SourceRevisionConfig: wire.SourceRevisionConfigRequest{ImageURI: &ref},
	})
	must(s.t, err)
	s.deployed = true
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.printLog(s.t, v.ID)
		}
	})
	return &deployment{server: s, id: v.ID, url: s.url + "/d/" + name}
}

// latest follows the newest revision to its end.
func (d *deployment) latest() wire.Revision {
	d.t.Helper()
	v, err := d.Deployment(d.t.Context(), d.id)
	must(d.t, err)
	r, err := d.Revision(d.t.Context(), d.id, *v.LatestRevisionID)
	must(d.t, err)
	return d.await(r)
}

// serves follows the newest revision, which is to serve.
func (d *deployment) serves() wire.Revision {
	d.t.Helper()
	r := d.latest()
	if r.Status != "DEPLOYED" {
		d.t.Fatalf("revision is %s: %s", r.Status, deref(r.StatusMessage))
	}
	return r
}

// change makes a revision of another image.
func (d *deployment) change(ref string) {
	d.t.Helper()
	_, err := d.PatchDeployment(d.t.Context(), d.id, wire.DeploymentPatchRequest{
		SourceRevisionConfig: &wire.SourceRevisionConfigRequest{ImageURI: &ref},
	})
	must(d.t, err)
}

// asked is what the agent answers.
func (d *deployment) asked(path string) string {
	d.t.Helper()
	status, body, err := d.get(path)
	if err != nil || status != http.StatusOK {
		d.t.Fatalf("GET %s: %d %s %v", path, status, body, err)
	}
	return strings.TrimSpace(body)
}

// containers lists those of a deployment by id.
func (d *deployment) containers(e *dockertest.Engine) []string {
	d.t.Helper()
	list, err := e.Client(d.t).ContainerList(d.t.Context(), dockerclient.ContainerListOptions{
		All: true, Filters: make(dockerclient.Filters).Add("label", "slipway.deployment="+d.id),
	})
	must(d.t, err)
	var ids []string
	for _, c := range list.Items {
		ids = append(ids, c.ID)
	}
	return ids
}

// removeContainers removes what a test has left: its server is gone.
func (s *server) removeContainers(e *dockertest.Engine) {
	folders, _ := filepath.Glob(filepath.Join(s.data, "containers", "*", "*"))
	for _, folder := range folders {
		_, _ = e.Client(s.t).ContainerRemove(context.Background(), "slipway-"+filepath.Base(folder), dockerclient.ContainerRemoveOptions{Force: true})
	}
}

func TestImageIsDeployedAndReplaced(t *testing.T) {
	t.Parallel()
	e, registry := dockertest.Shared(t), dockertest.NewRegistry(t)
	s := onEngine(t, e)
	ref, program := registry.Host+"/team/agent:latest", standin(t)
	digest := registry.Publish(t, "team/agent", "latest", program, "-print=revision one")
	d := s.image("agent", ref)
	first := d.serves()
	if got := first.Artefact; got == nil || !strings.HasSuffix(deref(got.Image), "@"+digest) {
		t.Errorf("it runs %+v, want %s", got, digest)
	}
	if got := d.asked("/value?name=GREETING"); got != "canary-5ecret" {
		t.Errorf("its variable is %q", got)
	}
	old, birth := d.containers(e), d.asked("/birth")
	failed, asked := d.askSteadily()
	registry.Publish(t, "team/agent", "latest", program, "-print=revision two")
	d.change(ref) // the tag names another image now
	second := d.serves()
	if n := asked(); n == 0 {
		t.Error("nobody asked meanwhile")
	}
	if err := failed(); err != nil {
		t.Errorf("while it was replaced: %v", err)
	}
	if now := d.asked("/birth"); now == birth {
		t.Error("the first image answers still")
	}
	eventually(t, "the first container is gone", func() bool {
		now := d.containers(e)
		return len(old) == 1 && len(now) == 1 && now[0] != old[0]
	})
	eventually(t, "what it printed is in its log", func() bool {
		return strings.Contains(d.deployLog(first.ID), "revision one") && strings.Contains(d.deployLog(second.ID), "revision two")
	})
	d.removed(e)
	if has := images(t, e, registry.Host); len(has) > 0 {
		t.Errorf("images: %v", has)
	}
}

// removed deletes the deployment and expects nothing of it in the engine.
func (d *deployment) removed(e *dockertest.Engine) {
	d.t.Helper()
	d.purge()
	if left := d.containers(e); len(left) > 0 {
		d.t.Errorf("containers: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(d.data, "containers", "*")); len(left) > 0 {
		d.t.Errorf("left: %v", left)
	}
}

func images(t *testing.T, e *dockertest.Engine, host string) (names []string) {
	t.Helper()
	list, err := e.Client(t).ImageList(t.Context(), dockerclient.ImageListOptions{})
	must(t, err)
	for _, image := range list.Items {
		for _, name := range append(image.RepoTags, image.RepoDigests...) {
			if strings.HasPrefix(name, host) {
				names = append(names, name)
			}
		}
	}
	return names
}

func TestContainersOutliveTheServer(t *testing.T) {
	t.Parallel()
	e := dockertest.Shared(t)
	e.Image(t, "outlives:1", "github.com/slipwayhq/slipway/driver/drivertest/standin")
	s := onEngine(t, e)
	d := s.image("agent", "outlives:1")
	d.serves()
	before, birth := d.containers(e), d.asked("/birth")
	for _, end := range []func(){func() { s.stop() }, s.kill} {
		end()
		s.start()
		if now := d.containers(e); len(now) != 1 || now[0] != before[0] || d.asked("/birth") != birth {
			t.Fatalf("after a start: containers %v, were %v", now, before)
		}
	}
	s.kill()
	_, err := e.Client(t).ContainerKill(t.Context(), before[0], dockerclient.ContainerKillOptions{Signal: "SIGKILL"})
	must(t, err)
	s.start()
	eventually(t, "it serves again after an exit that nobody saw", func() bool {
		status, _, err := d.get("/ok")
		return err == nil && status == http.StatusOK
	})
	d.removed(e)
}

// A server that dies while it deploys an image leaves the next one to finish,
// with one container.
func TestServerDiesWhileAnImageIsDeployed(t *testing.T) {
	t.Parallel()
	e, registry := dockertest.Shared(t), dockertest.NewRegistry(t)
	registry.Publish(t, "slow", "1", standin(t), "-listen-after=1s")
	s := onEngine(t, e)
	for _, status := range []string{"AWAITING_DEPLOY", "DEPLOYING"} {
		d := s.image(strings.ToLower(strings.ReplaceAll(status, "_", "-")), registry.Host+"/slow:1")
		v, err := d.Deployment(t.Context(), d.id)
		must(t, err)
		eventually(t, "it is "+status, func() bool {
			r, err := d.Revision(t.Context(), d.id, *v.LatestRevisionID)
			must(t, err)
			return strings.Contains(statuses(r), status)
		})
		s.kill()
		s.start()
		d.serves()
		if now := d.containers(e); len(now) != 1 {
			t.Errorf("killed in %s: containers %v", status, now)
		}
		d.removed(e)
	}
}

func TestImageIsRefused(t *testing.T) {
	t.Parallel()
	e, registry := dockertest.Shared(t), dockertest.NewRegistry(t)
	program := standin(t)
	registry.Publish(t, "exits", "1", program, "-exit=3", "-print=no graph in here")
	registry.Publish(t, "mute", "1", program, "-mute", "-print=listens on nothing")
	s := onEngine(t, e, "--start-timeout", "3s")
	bare := serverOn(t, filepath.Join(t.TempDir(), "data"))
	for _, c := range []struct {
		name, ref, code string
		server          *server
		says            []string
	}{
		{"no-engine", registry.Host + "/exits:1", "no_engine", bare, []string{"no container engine", "Start the server with one: slipway server --docker-host", "SLIPWAY_DOCKER_HOST"}},
		{"unknown", registry.Host + "/nobody/knows:1", "image_not_found", s, []string{registry.Host + "/nobody/knows:1"}},
		{"exits", registry.Host + "/exits:1", "crash_loop", s, []string{"exited with code 3", "no graph in here"}},
		{"mute", registry.Host + "/mute:1", "never_served", s, []string{"GET /ok", "HOST and PORT"}},
	} {
		d := c.server.image(c.name, c.ref)
		r := d.latest()
		if r.Status != "DEPLOY_FAILED" || r.Failure == nil || r.Failure.Code != c.code {
			t.Errorf("%s: %s %+v", c.name, r.Status, r.Failure)
			continue
		}
		said := deref(r.StatusMessage) + deref(r.Failure.Hint)
		for _, text := range c.says {
			if !strings.Contains(said, text) {
				t.Errorf("%s: %q lacks %q", c.name, said, text)
			}
		}
		d.removed(e)
	}
}

// An engine that takes connections and says nothing keeps the server from nothing
// but its containers: requests to them wait until it answers.
func TestAnEngineThatSaysNothing(t *testing.T) {
	t.Parallel()
	e := dockertest.Start(t)
	e.Image(t, "silent:1", "github.com/slipwayhq/slipway/driver/drivertest/standin")
	s := onEngine(t, e)
	d := s.image("silent", "silent:1")
	d.serves()
	s.stop()
	e.Down()
	l, err := net.Listen("unix", strings.TrimPrefix(e.Host(), "unix://"))
	must(t, err)
	taken := make(chan net.Conn, 1000)
	go func() {
		defer close(taken)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			taken <- conn
		}
	}()
	s.start()
	d.Client = s.Client
	waits := make(chan int, 1)
	go func() {
		status, _, _ := d.get("/birth")
		waits <- status
	}()
	_, err = s.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{
		Name: "other", Source: "internal_source", Secrets: []wire.Secret{}, SourceConfig: wire.SourceConfigRequest{},
	})
	must(t, err) // it is ready
	must(t, l.Close())
	for conn := range taken {
		_ = conn.Close()
	}
	must(t, e.Up())
	if status := <-waits; status == http.StatusNotFound {
		t.Error("while the engine said nothing it was not there")
	}
	eventually(t, "it answers once the engine does", func() bool {
		status, _, err := d.get("/birth")
		return err == nil && status == http.StatusOK
	})
}
