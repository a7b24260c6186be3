package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"go.uber.org/goleak"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/docker"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/engine"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// fixture is an installation with one instance.
type fixture struct {
	*testing.T
	engine *dockertest.Engine
	client *client.Client
	root   string
	owner  string
	log    logged
	d      *docker.Driver
	w      slipway.Workload
}

// logged is what was logged, to be read while more is.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newFixture(t *testing.T, e *dockertest.Engine, flags ...string) *fixture {
	f := &fixture{T: t, engine: e, client: e.Client(t), root: t.TempDir(), owner: slipway.NewID[string](time.Now())}
	t.Cleanup(func() { removeAll(t, e, f.owner) })
	t.Cleanup(func() { f.d.Close() })
	f.w = slipway.Workload{
		Instance: slipway.NewID[slipway.InstanceID](time.Now()), Deployment: slipway.NewID[slipway.DeploymentID](time.Now()),
		Revision: slipway.NewID[slipway.RevisionID](time.Now()), Attempt: 1,
		Image: e.Image(t, "standin", standin), Args: flags, Port: drivertest.FreePort(t),
	}
	f.open()
	return f
}

func (f *fixture) open() {
	f.d = open(f, f.engine.Host(), f.root, f.owner, io.MultiWriter(&f.log, f.Output()))
}

func (f *fixture) try(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// serve applies and waits for the first answer.
func (f *fixture) serve() slipway.Observed {
	f.Helper()
	o, err := f.d.Apply(f.Context(), f.w)
	f.try(err)
	testsignal.Until(f, "the first answer", func() bool { return f.ask(http.MethodGet, "/ok") == "ok" })
	return o
}

// ask returns "" if nothing answers.
func (f *fixture) ask(method, path string) string {
	return f.askAt(fmt.Sprintf("127.0.0.1:%d", f.w.Port), method, path)
}

func (f *fixture) askAt(address, method, path string) string {
	r, err := http.NewRequestWithContext(f.Context(), method, "http://"+address+path, nil)
	f.try(err)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	var body bytes.Buffer
	_, _ = body.ReadFrom(answer.Body)
	return strings.TrimSpace(body.String())
}

func (f *fixture) print(line string) { f.ask(http.MethodPost, "/print?line="+line) }

func (f *fixture) inspect() slipway.Observed {
	f.Helper()
	o, err := f.d.Inspect(f.Context(), f.w.Deployment, f.w.Instance)
	f.try(err)
	return o
}

func (f *fixture) output() string {
	f.Helper()
	text, err := f.d.Output(f.Context(), f.w.Deployment, f.w.Instance, 0, 1<<20)
	f.try(err)
	return string(text)
}

func (f *fixture) name() string { return "slipway-" + string(f.w.Instance) }

func (f *fixture) container() container.InspectResponse {
	f.Helper()
	c, err := f.client.ContainerInspect(f.Context(), f.name(), client.ContainerInspectOptions{})
	f.try(err)
	return c.Container
}

func (f *fixture) folder() string {
	return filepath.Join(f.root, string(f.w.Deployment), string(f.w.Instance))
}

func TestConfinement(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	c := f.container()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.State.Pid))
	f.try(err)
	for _, line := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(string(status), line) {
			t.Errorf("%s is not so:\n%s", line, status)
		}
	}
	if c.HostConfig.Privileged || len(c.Mounts) > 0 || c.HostConfig.RestartPolicy.Name != "no" {
		t.Errorf("privileged %v, mounts %v, restarts %s", c.HostConfig.Privileged, c.Mounts, c.HostConfig.RestartPolicy.Name)
	}
	for port, bound := range c.NetworkSettings.Ports {
		for _, b := range bound {
			if !b.HostIP.IsLoopback() {
				t.Errorf("port %s is open to %s", port, b.HostIP)
			}
		}
	}
}

func TestSecretsStayInside(t *testing.T) {
	const canary = "canary-7f3a9b-of-a-secret"
	f := newFixture(t, dockertest.Shared(t))
	f.w.Env = []slipway.EnvVar{{Name: "API_KEY", Value: canary}}
	f.serve()
	broken := f.w
	broken.Attempt, broken.Image = 2, "127.0.0.1:1/not/there"
	_, err := f.d.Apply(t.Context(), broken)
	if failure(t, err, "image_missing"); strings.Contains(err.Error(), canary) {
		t.Errorf("the secret is in %v", err)
	}
	f.serve()
	labels, err := json.Marshal(f.container().Config.Labels)
	f.try(err)
	f.try(f.d.Close())
	if said := string(labels) + f.log.String(); strings.Contains(said, canary) {
		t.Errorf("the secret is in labels or log: %s", said)
	}
	f.try(filepath.WalkDir(f.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if text, err := os.ReadFile(path); err != nil || bytes.Contains(text, []byte(canary)) {
			t.Errorf("the secret is in %s, %v", path, err)
		}
		return nil
	}))
}

func failure(t *testing.T, err error, code string) *slipway.Failure {
	t.Helper()
	f, ok := errors.AsType[*slipway.Failure](err)
	if !ok || f.Code != code || f.Phase != slipway.PhaseDeploy || f.Hint == "" {
		t.Fatalf("got %#v (%v), want a failure %s", err, err, code)
	}
	return f
}

// An image may want another signal than SIGTERM.
func TestStopSignal(t *testing.T) {
	e := dockertest.Shared(t)
	f := newFixture(t, e)
	f.w.Image = build(t, f.client, "interrupted", "FROM standin\nSTOPSIGNAL SIGINT\n")
	f.serve()
	f.try(f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, time.Minute))
	if e := f.inspect().Exit; e.Code != 2 { // as Go programs end that do not expect it
		t.Errorf("exit = %+v", e)
	}
}

// build makes an image from a Dockerfile that needs no other file.
func build(t *testing.T, c *client.Client, name, dockerfile string) string {
	t.Helper()
	var context bytes.Buffer
	w := tar.NewWriter(&context)
	err := w.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o600, Size: int64(len(dockerfile))})
	if err == nil {
		_, err = io.WriteString(w, dockerfile)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	said, err := c.ImageBuild(t.Context(), &context, client.ImageBuildOptions{Tags: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	defer said.Body.Close()
	if text, err := io.ReadAll(said.Body); err != nil || !bytes.Contains(text, []byte("Successfully built")) {
		t.Fatalf("%v: %s", err, text)
	}
	return name
}

// Engines cut long lines; what was printed is put together again.
func TestLongLines(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	long := strings.Repeat("0123456789", 10_000)
	f.print(long)
	f.print("short")
	testsignal.Until(t, "both lines", func() bool { return f.output() == long+"\nshort\n" })
}

func TestCloseLetsGo(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	f.try(f.d.Close())
	before := goleak.IgnoreCurrent()
	f.open()
	exits := f.d.Exits(t.Context())
	f.inspect()
	f.try(f.d.Close())
	f.try(f.d.Close())
	if _, open := <-exits; open {
		t.Error("an exit was reported")
	}
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
	if _, err := f.d.Apply(t.Context(), f.w); err == nil {
		t.Error("a closed driver applies")
	}
	if f.ask(http.MethodGet, "/ok") != "ok" {
		t.Error("the agent ended")
	}
}

// A container of another installation, even by the name of ours, is not touched.
func TestForeignContainer(t *testing.T) {
	f, other := newFixture(t, dockertest.Shared(t)), newFixture(t, dockertest.Shared(t))
	other.w.Instance = f.w.Instance
	other.serve()
	id := other.container().ID
	f.try(os.MkdirAll(f.folder(), 0o700)) // as if it had been ours
	_, applied := f.d.Apply(t.Context(), f.w)
	_, inspected := f.d.Inspect(t.Context(), f.w.Deployment, f.w.Instance)
	stopped := f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, 0)
	deleted := f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance)
	for _, err := range []error{applied, inspected, stopped, deleted} {
		if err == nil || !strings.Contains(err.Error(), "none of this installation's") {
			t.Errorf("got %v", err)
		}
	}
	if now := other.container(); now.ID != id || !now.State.Running {
		t.Error("it was touched")
	}
}

// What a death leaves between two calls to the engine is taken up.
func TestHalfDone(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	labels := f.container().Config.Labels
	remove := func() {
		_, err := f.client.ContainerRemove(t.Context(), f.name(), client.ContainerRemoveOptions{Force: true})
		f.try(err)
	}
	remove()
	if o := f.inspect(); o.Phase != slipway.PhaseAbsent {
		t.Errorf("only a folder is left: %+v", o)
	}
	if list, err := f.d.List(t.Context()); err != nil || len(list) != 1 || list[0].Phase != slipway.PhaseAbsent {
		t.Errorf("List = %+v, %v", list, err)
	}
	create := func() {
		_, err := f.client.ContainerCreate(t.Context(), client.ContainerCreateOptions{
			Name: f.name(), Image: f.w.Image, Config: &container.Config{Labels: labels},
		})
		f.try(err)
	}
	create()
	if o := f.inspect(); o.Phase != slipway.PhaseAbsent {
		t.Errorf("created and not started: %+v", o)
	}
	f.serve()
	f.try(f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, time.Minute))
	remove()
	create()
	f.try(f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance))
	if list, err := f.d.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("List = %+v, %v", list, err)
	}
	if _, err := os.Stat(filepath.Dir(f.folder())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

// slowToCreate passes on what an engine is asked. A container that nobody waits for
// any more is made late.
type slowToCreate struct {
	http.RoundTripper
	asked, cancelled, abandoned, late, made chan struct{}
}

func (s slowToCreate) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/containers/create") {
		return s.RoundTripper.RoundTrip(r)
	}
	close(s.asked)
	<-s.cancelled
	err := r.Context().Err()
	if err == nil {
		return s.RoundTripper.RoundTrip(r)
	}
	close(s.abandoned)
	r = r.WithContext(context.WithoutCancel(r.Context()))
	go func() {
		defer close(s.made)
		<-s.late
		if answer, err := s.RoundTripper.RoundTrip(r); err == nil {
			answer.Body.Close()
		}
	}()
	return nil, err
}

// A container that is being made as its deployment is deleted goes with that.
func TestDeletedAsItIsCreated(t *testing.T) {
	e := dockertest.Shared(t)
	f := newFixture(t, e)
	slow := slowToCreate{
		&http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(e.Host(), "unix://"))
		}},
		make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{}),
	}
	c, err := client.New(client.WithHost(e.Host()), client.WithHTTPClient(&http.Client{Transport: slow}))
	f.try(err)
	d, err := docker.Open(docker.Config{Engine: &engine.Engine{Client: c}, Owner: f.owner, Root: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	f.try(err)
	defer d.Close()
	ctx, cancel := context.WithCancel(t.Context())
	applied := make(chan error, 1)
	go func() { _, err := d.Apply(ctx, f.w); applied <- err }()
	testsignal.Receive(t, "the engine to be asked", slow.asked)
	cancel()
	close(slow.cancelled)
	if err := testsignal.Receive(t, "the end of Apply", applied); err == nil {
		t.Error("Apply was not cancelled")
	}
	f.try(d.Stop(t.Context(), f.w.Deployment, f.w.Instance, 0))
	f.try(d.Delete(t.Context(), f.w.Deployment, f.w.Instance))
	close(slow.late)
	select {
	case <-slow.abandoned:
		testsignal.Receive(t, "the container to be made", slow.made)
	default:
	}
	if _, err := f.client.ContainerInspect(t.Context(), f.name(), client.ContainerInspectOptions{}); !engine.NotFound(err) {
		t.Errorf("the container is there: %v", err)
	}
}

// What is printed while no server runs is read by the next, behind what the last
// one read, wherever that died.
func TestOutputWhileNobodyReads(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	f.print("one")
	testsignal.Until(t, "the first line", func() bool { return f.output() == "one\n" })
	for n, damage := range []func(){
		func() {},
		func() { // died between a message and its mark
			log, err := os.OpenFile(filepath.Join(f.folder(), "output.log"), os.O_APPEND|os.O_WRONLY, 0)
			f.try(err)
			_, err = log.WriteString("torn and quite long, longer than what follows")
			f.try(errors.Join(err, log.Close()))
		},
		func() { f.try(os.Remove(filepath.Join(f.folder(), "output.mark"))) },
		func() { f.try(os.RemoveAll(f.folder())) },
	} {
		f.try(f.d.Close())
		damage()
		f.print(fmt.Sprintf("more%d", n))
		f.open()
		want := "one\nmore0\nmore1\nmore2\nmore3\n"[:4+6*(n+1)]
		testsignal.Until(t, fmt.Sprintf("%q", want), func() bool { return f.output() == want })
	}
	f.ask(http.MethodPost, "/exit?code=1")
	testsignal.Until(t, "its end", func() bool { return f.inspect().Phase == slipway.PhaseExited })
	if e := f.inspect().Exit; e.Reason != "one\nmore0\nmore1\nmore2\nmore3" {
		t.Errorf("reason %q", e.Reason)
	}
}

func TestNoEngine(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	bare, err := docker.Open(docker.Config{Root: f.root, Owner: f.owner, Logger: slog.Default()})
	f.try(err)
	defer bare.Close()
	other := f.w
	other.Instance = slipway.NewID[slipway.InstanceID](time.Now())
	_, err = bare.Apply(t.Context(), other)
	if said := failure(t, err, "no_engine"); !strings.Contains(said.Hint, "--docker-host") || !strings.Contains(said.Hint, "SLIPWAY_DOCKER_HOST") {
		t.Errorf("hint %q", said.Hint)
	}
	if o, err := bare.Inspect(t.Context(), other.Deployment, other.Instance); err != nil || o.Phase != slipway.PhaseAbsent {
		t.Errorf("what nobody ran: %+v, %v", o, err)
	}
	_, inspected := bare.Inspect(t.Context(), f.w.Deployment, f.w.Instance)
	stopped := bare.Stop(t.Context(), f.w.Deployment, f.w.Instance, 0)
	deleted := bare.Delete(t.Context(), f.w.Deployment, f.w.Instance)
	purged := bare.Purge(t.Context(), f.w.Deployment)
	for _, err := range []error{inspected, stopped, deleted, purged} {
		if _, final := errors.AsType[*slipway.Failure](err); err == nil || final || !strings.Contains(err.Error(), "--docker-host") {
			t.Errorf("what an earlier server left: %v", err)
		}
	}
	if f.ask(http.MethodGet, "/ok") != "ok" {
		t.Error("it was touched")
	}
}

// An engine that is down is waited for; what it runs goes on, and so does
// everything that needs no engine.
func TestEngineDown(t *testing.T) {
	f := newFixture(t, dockertest.Start(t))
	before := f.serve()
	// Ports that are published are the engine's, and go down with it.
	inside := f.container().NetworkSettings.Networks["slipway-"+string(f.w.Deployment)].IPAddress.String() + ":8000"
	f.engine.Down()
	_, inspected := f.d.Inspect(t.Context(), f.w.Deployment, f.w.Instance)
	_, applied := f.d.Apply(t.Context(), f.w)
	for _, err := range []error{inspected, applied} {
		if _, final := errors.AsType[*slipway.Failure](err); err == nil || final || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("got %v", err)
		}
	}
	unknown := slipway.NewID[slipway.InstanceID](time.Now())
	if o, err := f.d.Inspect(t.Context(), f.w.Deployment, unknown); err != nil || o.Phase != slipway.PhaseAbsent {
		t.Errorf("an instance of another driver: %+v, %v", o, err)
	}
	f.try(f.d.Stop(t.Context(), f.w.Deployment, unknown, 0))
	f.try(f.d.Delete(t.Context(), f.w.Deployment, unknown))
	f.askAt(inside, http.MethodPost, "/print?line=meanwhile")
	f.try(f.engine.Up())
	if o := f.inspect(); o != before {
		t.Errorf("then %+v, before %+v", o, before)
	}
	f.print("again")
	testsignal.Until(t, "what was printed", func() bool { return f.output() == "meanwhile\nagain\n" })
	exits := f.d.Exits(t.Context())
	f.engine.Down()
	f.askAt(inside, http.MethodPost, "/exit?code=3")
	f.try(f.engine.Up())
	testsignal.Receive(t, "an end that nobody saw", exits)
	if o := f.inspect(); o.Phase != slipway.PhaseExited || o.Exit.Code != 3 {
		t.Errorf("it is %+v", o)
	}
}
