package e2e_test

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/internal/dockertest"
)

// docker is the command with a configuration of its own.
type docker struct {
	t   *testing.T
	env []string
}

func dockerOf(t *testing.T, e *dockertest.Engine) docker { return docker{t, e.Environ(t)} }

func (d docker) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(d.t.Context(), "docker", args...)
	cmd.Env = d.env
	return cmd
}

// does runs the command and returns what it printed.
func (d docker) does(args ...string) string {
	d.t.Helper()
	out, err := d.command(args...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// fails runs the command and expects that it ends badly, saying so.
func (d docker) fails(says string, args ...string) {
	d.t.Helper()
	out, err := d.command(args...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), says) {
		d.t.Errorf("docker %s: %v, want a failure that says %q\n%s", strings.Join(args, " "), err, says, out)
	}
}

func (d docker) login(host, token string) ([]byte, error) {
	cmd := d.command("login", "-u", "oauth2accesstoken", "--password-stdin", host)
	cmd.Stdin = strings.NewReader(token + "\n")
	return cmd.CombinedOutput()
}

// pushed is a deployment that images are pushed for.
type pushed struct {
	*deployment
	docker
	host, prefix string
}

func (s *server) pushed(d docker, name string) *pushed {
	s.t.Helper()
	made, err := s.CreateDeployment(s.t.Context(), wire.DeploymentCreateRequest{Name: name, Source: "internal_docker"})
	must(s.t, err)
	return &pushed{deployment: &deployment{server: s, id: made.ID}, docker: d}
}

// token asks for a token, and remembers where it is good.
func (p *pushed) token() string {
	p.server.t.Helper()
	t, err := p.PushToken(p.server.t.Context(), p.id)
	must(p.server.t, err)
	p.prefix = t.RegistryURL
	p.host, _, _ = strings.Cut(t.RegistryURL, "/")
	return t.Token
}

func (p *pushed) loggedIn() *pushed {
	p.server.t.Helper()
	if out, err := p.login(p.host, p.token()); err != nil {
		p.server.t.Fatalf("docker login: %v\n%s", err, out)
	}
	return p
}

// image makes an engine hold an image of one layer of so many random bytes.
func image(t *testing.T, e *dockertest.Engine, name string, size int) {
	t.Helper()
	content := make([]byte, size)
	rand.Read(content)
	e.Import(t, name, map[string][]byte{"file": content}, `ENTRYPOINT ["/file"]`)
}

// kept lists the files of a server's registry.
func (s *server) kept() (files []string) {
	s.t.Helper()
	root := filepath.Join(s.data, "registry")
	must(s.t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it goes while we look
		}
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, root+"/"))
		}
		return err
	}))
	return files
}

// A real engine logs in, pushes, pushes again and pulls by digest.
func TestDockerPushesAndPulls(t *testing.T) {
	t.Parallel()
	e := dockertest.Shared(t)
	s := serverOn(t, filepath.Join(t.TempDir(), "data"))
	p := s.pushed(dockerOf(t, e), "pushed")
	p.token()
	if out, err := p.login(p.host, "wrong"); err == nil || !strings.Contains(string(out), "401") {
		t.Errorf("login with a wrong password: %v\n%s", err, out)
	}
	p.loggedIn()
	name := p.prefix + "/app:v1"
	image(t, e, name, 1<<20)
	first := p.does("push", name)
	if again := p.does("push", name); !strings.Contains(first, ": Pushed") || !strings.Contains(again, "Layer already exists") {
		t.Errorf("the first push:\n%s\nthe second:\n%s", first, again)
	}
	other := p.prefix + "/deeper/name:v1"
	p.does("tag", name, other)
	if out := p.does("push", other); !strings.Contains(out, "Mounted from") {
		t.Errorf("a push of the same under another name:\n%s", out)
	}
	id := strings.TrimSpace(p.does("image", "inspect", "--format", "{{.Id}}", name))
	pinned := ""
	for _, found := range strings.Fields(p.does("image", "inspect", "--format", "{{range .RepoDigests}}{{println .}}{{end}}", name)) {
		if strings.HasPrefix(found, p.prefix+"/app@") {
			pinned = found
		}
	}
	p.does("rmi", "--force", id)
	p.does("pull", pinned)
	if got := strings.TrimSpace(p.does("image", "inspect", "--format", "{{.Id}}", pinned)); got != id {
		t.Errorf("pulled %s, pushed %s", got, id)
	}

	neighbour := s.pushed(p.docker, "neighbour")
	neighbour.token()
	foreign := neighbour.prefix + "/app:v1"
	p.does("tag", pinned, foreign)
	p.fails("denied", "push", foreign)
	revised, err := s.PatchDeployment(t.Context(), p.id, wire.DeploymentPatchRequest{
		RevisionSource:       new("internal_docker"),
		SourceRevisionConfig: &wire.SourceRevisionConfigRequest{ImageURI: &name},
	})
	must(t, err)
	r, err := s.Revision(t.Context(), p.id, *revised.LatestRevisionID)
	must(t, err)
	if got := deref(r.SourceRevisionConfig.ImageURI); got != pinned {
		t.Errorf("the revision is of %s, pushed was %s", got, pinned)
	}

	must(t, s.DeleteDeployment(t.Context(), p.id, client.DeleteOptions{Now: true}))
	p.does("tag", pinned, name)
	p.fails("unauthorized", "push", name)
	must(t, s.DeleteDeployment(t.Context(), neighbour.id, client.DeleteOptions{Now: true}))
	eventually(t, "nothing is left of what was pushed", func() bool { return len(s.kept()) == 0 })
	p.does("rmi", "--force", id)
	p.fails("unauthorized", "pull", pinned)
	s.expectNoErrors(t)
}

// A push outlives the death of the server in its middle, or is pushed again.
func TestAPushAndTheServerDies(t *testing.T) {
	t.Parallel()
	e := dockertest.Shared(t)
	s := serverOn(t, filepath.Join(t.TempDir(), "data"))
	p := s.pushed(dockerOf(t, e), "dying")
	p.token()
	p.loggedIn()
	name := p.prefix + "/app:v1"
	image(t, e, name, 128<<20)
	pushing := p.command("push", name)
	must(t, pushing.Start())
	eventually(t, "a part of the layer has arrived", func() bool {
		for _, file := range s.kept() {
			info, err := os.Stat(filepath.Join(s.data, "registry", file))
			if err == nil && strings.Contains(file, "/uploads/") && info.Size() > 1<<20 {
				return true
			}
		}
		return false
	})
	s.kill()
	s.start()
	_ = pushing.Wait() // docker itself may have tried again
	p.does("push", name)
	pinned := strings.TrimSpace(p.does("image", "inspect", "--format", "{{index .RepoDigests 0}}", name))
	p.does("rmi", "--force", name, pinned)
	p.does("pull", pinned)
	must(t, s.DeleteDeployment(t.Context(), p.id, client.DeleteOptions{Now: true}))
	eventually(t, "nothing is left of what was pushed", func() bool { return len(s.kept()) == 0 })
}

// A deployment that is deleted while an image is pushed for it takes no more of
// it, and leaves nothing.
func TestAPushAndADelete(t *testing.T) {
	t.Parallel()
	e := dockertest.Shared(t)
	s := serverOn(t, filepath.Join(t.TempDir(), "data"))
	p := s.pushed(dockerOf(t, e), "deleted")
	p.token()
	p.loggedIn()
	name := p.prefix + "/app:v1"
	image(t, e, name, 128<<20)
	pushing := p.command("push", name)
	must(t, pushing.Start())
	eventually(t, "the push has begun", func() bool { return len(s.kept()) > 0 })
	must(t, s.DeleteDeployment(t.Context(), p.id, client.DeleteOptions{Now: true}))
	if err := pushing.Wait(); err == nil {
		t.Error("the push went on to its end")
	}
	eventually(t, "nothing is left of what was pushed", func() bool { return len(s.kept()) == 0 })
}

func TestAnExpiredToken(t *testing.T) {
	t.Parallel()
	e := dockertest.Shared(t)
	s := serverOn(t, filepath.Join(t.TempDir(), "data"), "--push-token-lifetime", "1ns")
	p := s.pushed(dockerOf(t, e), "late")
	token := p.token()
	if out, err := p.login(p.host, token); err == nil {
		t.Errorf("login: %s", out)
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v2/", nil)
	must(t, err)
	q.SetBasicAuth("oauth2accesstoken", token)
	answer, err := http.DefaultClient.Do(q)
	must(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("with an expired token: %s", answer.Status)
	}
}

// The vendor's command line pushes an image that is ready, from one engine; it
// is fetched by its digest and runs in another.
func TestTheVendorsClientPushesAnImage(t *testing.T) {
	t.Parallel()
	builds, runs := dockertest.Start(t), dockertest.Shared(t)
	s := onEngine(t, runs)
	l := s.langgraph(t)
	app := t.TempDir()
	must(t, os.WriteFile(filepath.Join(app, "langgraph.json"), []byte(`{"dependencies":["."],"graphs":{"a":"./a.py:a"}}`), 0o600))
	deploy := func(says string) string {
		program := map[string][]byte{"program": standin(t)}
		builds.Import(t, "ready-made:1", program, `ENTRYPOINT ["/program","-print=`+says+`"]`)
		cmd := l.command(t.Context(), "--name", "ready-made", "--image", "ready-made:1", "--no-input")
		cmd.Dir = app
		cmd.Env = append(cmd.Env, "DOCKER_HOST="+builds.Host())
		out, err := cmd.CombinedOutput()
		s.deployed = true
		if err != nil || !strings.Contains(string(out), "Deployment successful!") {
			s.printLog(t, "")
			t.Fatalf("%v\n%s", err, out)
		}
		return deref(s.newest(s.named("ready-made")).SourceRevisionConfig.ImageURI)
	}
	first := deploy("first")
	id := s.named("ready-made")
	if !strings.Contains(first, "/registry/"+id+"/ready-made@sha256:") {
		t.Errorf("the revision is of %s", first)
	}
	if digests := dockerOf(t, builds).does("image", "inspect", "--format", "{{.RepoDigests}}", "ready-made:1"); !strings.Contains(digests, first) {
		t.Errorf("the revision is of %s, pushed were %s", first, digests)
	}
	if second := deploy("second"); second == first {
		t.Errorf("pushed again, the revision is of %s", second)
	}
	d := &deployment{server: s, id: id, url: s.url + "/d/ready-made"}
	d.removed(runs)
	eventually(t, "nothing is left of what was pushed", func() bool { return len(s.kept()) == 0 })
}
