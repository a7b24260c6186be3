package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/internal/basetest"
	"github.com/slipwayhq/slipway/internal/dockertest"
)

// The vendor's command line builds an image on the user's machine, on a base that
// is named to it, and pushes it; a change of a line makes another.
func TestLocalBuild(t *testing.T) {
	t.Parallel()
	e := dockertest.Shared(t)
	c := e.Client(t)
	basetest.Python(t, c, "base-of-e2e:3.11")
	basetest.NodeServer(t, c, "base-of-e2e:20")
	s := onEngine(t, e)
	l := s.langgraph(t)
	l.env = []string{"DOCKER_HOST=" + e.Host(), "DOCKER_BUILDKIT=0"} // no public image can be counted on
	for _, app := range []remote{echoPy, {name: "echo-js", dir: echo, assistant: "echo", edit: "src/graph.ts"}} {
		l.buildsLocally(t, s, e, app)
	}
}

func (l *langgraph) buildsLocally(t *testing.T, s *server, e *dockertest.Engine, app remote) {
	args := []string{"--no-remote", "--no-pull", "--base-image", "base-of-e2e"}
	dir := source(t, app.dir, nil)
	d, _ := l.deploys(s, dir, app.name, args...)
	first := s.newest(d.id)
	if first.Source != "internal_docker" || first.Artefact == nil || !strings.Contains(deref(first.Artefact.Image), "/registry/"+d.id+"/"+app.name+"@sha256:") {
		t.Errorf("it runs %+v", first)
	}
	if got := l.converse(d, app.assistant, "hello"); len(got.Answers) != 2 || !strings.HasPrefix(got.Answers[0], "echo: hello") {
		t.Errorf("the agent answers %q", got.Answers)
	}
	appendTo(t, filepath.Join(dir, app.edit))
	l.deploys(s, dir, app.name, args...)
	if second := s.newest(d.id); deref(second.Artefact.Image) == deref(first.Artefact.Image) || second.ID == first.ID {
		t.Errorf("after a change of a line it runs %+v", second.Artefact)
	}
	l.converse(d, app.assistant, "hello again")
	d.removed(e)
}
