package registry_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/registry"
	"github.com/slipwayhq/slipway/secret"
)

const (
	mine   slipway.DeploymentID = "01900000-0000-7000-8000-00000000000a"
	theirs slipway.DeploymentID = "01900000-0000-7000-8000-00000000000b"
)

// setting is a registry behind HTTP, with a clock that a test turns and
// deployments that it lets die.
type setting struct {
	*registry.Registry
	t      *testing.T
	config registry.Config
	folder string
	url    string
	server *httptest.Server

	mu   sync.Mutex
	now  time.Time
	dead map[slipway.DeploymentID]bool
}

func open(t *testing.T, edit ...func(*registry.Config)) *setting {
	t.Helper()
	s := &setting{t: t, folder: filepath.Join(t.TempDir(), "registry"), now: time.Now(), dead: map[slipway.DeploymentID]bool{}}
	ring, err := secret.NewKeyring(make([]byte, 32))
	must(t, err)
	s.config = registry.Config{Signer: ring, Lives: s.lives, Ours: func(host string) bool { return host == "slipway.test" }, Now: s.clock}
	for _, e := range edit {
		e(&s.config)
	}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *setting) start() {
	s.t.Helper()
	r, err := registry.Open(s.folder, s.config)
	must(s.t, err)
	s.Registry = r
	s.server = httptest.NewServer(r)
	s.url = s.server.URL
}

func (s *setting) stop() {
	s.server.CloseClientConnections()
	s.server.Close()
	must(s.t, s.Close())
}

// restart opens the folder anew, as the next process does.
func (s *setting) restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

func (s *setting) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *setting) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *setting) lives(_ context.Context, d slipway.DeploymentID) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.dead[d], nil
}

func (s *setting) kill(d slipway.DeploymentID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead[d] = true
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pusher is a client with the token of one deployment.
type pusher struct {
	s          *setting
	repository string
	token      string
}

func (s *setting) pusher(d slipway.DeploymentID, image string) pusher {
	return pusher{s, slipway.Repository(d) + "/" + image, s.PushToken(d, s.clock().Add(time.Hour))}
}

type reply struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   string
}

// is ends the test unless the status is the one given.
func (r reply) is(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: %d %s, want %d", r.what, r.status, r.body, status)
	}
	return r
}

// refused is is for an error with a code of the protocol.
func (r reply) refused(status int, code string) reply {
	r.t.Helper()
	r.is(status)
	var got struct {
		Errors []struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(r.body), &got); err != nil || len(got.Errors) != 1 || got.Errors[0].Code != code || got.Errors[0].Message == "" {
		r.t.Fatalf("%s: %s, want code %s", r.what, r.body, code)
	}
	return r
}

// ask sends a request for something below the repository; one that begins with
// a slash is for that path.
func (p pusher) ask(method, path string, body io.Reader, headers ...string) reply {
	p.s.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = "/v2/" + p.repository + "/" + path
	}
	q, err := http.NewRequestWithContext(p.s.t.Context(), method, p.s.url+path, body)
	must(p.s.t, err)
	if p.token != "" {
		q.SetBasicAuth(slipway.RegistryUser, p.token)
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	answer, err := p.s.server.Client().Do(q)
	must(p.s.t, err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	must(p.s.t, err)
	return reply{p.s.t, method + " " + path, answer.StatusCode, answer.Header, string(content)}
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// begin begins an upload and returns its path.
func (p pusher) begin() string {
	p.s.t.Helper()
	return p.ask("POST", "blobs/uploads/", nil).is(202).header.Get("Location")
}

// blob pushes bytes as docker does: begin, all in one chunk, end.
func (p pusher) blob(content []byte) string {
	p.s.t.Helper()
	at := p.begin()
	at = p.ask("PATCH", at, bytes.NewReader(content)).is(202).header.Get("Location")
	p.ask("PUT", at+"?digest="+digestOf(content), nil).is(201)
	return digestOf(content)
}

type part struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
)

// manifest is that of an image of a config and layers.
func manifest(config []byte, layers ...[]byte) []byte {
	m := map[string]any{
		"schemaVersion": 2, "mediaType": ociManifest,
		"config": part{"application/vnd.oci.image.config.v1+json", digestOf(config), len(config)},
	}
	parts := []part{}
	for _, l := range layers {
		parts = append(parts, part{"application/vnd.oci.image.layer.v1.tar", digestOf(l), len(l)})
	}
	m["layers"] = parts
	content, _ := json.Marshal(m)
	return content
}

func index(manifests ...[]byte) []byte {
	parts := []part{}
	for _, m := range manifests {
		parts = append(parts, part{ociManifest, digestOf(m), len(m)})
	}
	content, _ := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": ociIndex, "manifests": parts})
	return content
}

// image pushes an image of which each layer is a text, and returns its digest.
func (p pusher) image(tag string, layers ...string) string {
	p.s.t.Helper()
	config := fmt.Appendf(nil, "{%q:%q}", "layers", layers)
	p.blob(config)
	var all [][]byte
	for _, l := range layers {
		p.blob([]byte(l))
		all = append(all, []byte(l))
	}
	content := manifest(config, all...)
	p.ask("PUT", "manifests/"+tag, bytes.NewReader(content), "Content-Type", ociManifest).is(201)
	return digestOf(content)
}
