package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	dockerclient "github.com/moby/moby/client"
	"github.com/redis/go-redis/v9"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/build/image"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/internal/redistest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// A server is killed before and after every commit of what is done to a deleted
// deployment, and every call that stops or removes something: several of these lie
// between two commits, since what was removed is told with what comes next. How
// many there are is not written here: death comes one later each time, until a
// server outlives it all. Whoever comes next brings it to its end, and nothing is
// left.

// deletionStory is something that may be done to a deployment.
type deletionStory struct {
	database bool // it has one
	aside    bool // it was deleted before, and is kept aside
	heir     bool // it has no data of its own, and there is a snapshot of another's
	act      func(*mortal, context.Context, string) error
	end      func(*mortal, string) bool // what was begun has come to its end
}

var deletionStories = map[string]deletionStory{
	"deletion": {
		database: true,
		act: func(m *mortal, ctx context.Context, id string) error {
			return m.delete(ctx, id, client.DeleteOptions{Now: true})
		},
		end: (*mortal).isDone,
	},
	"putting aside": {
		act: func(m *mortal, ctx context.Context, id string) error {
			return m.delete(ctx, id, client.DeleteOptions{})
		},
		end: (*mortal).isKept,
	},
	"purge": {
		aside: true, database: true,
		act: func(m *mortal, ctx context.Context, id string) error { return m.client.PurgeDeployment(ctx, id) },
		end: (*mortal).isDone,
	},
	"restore": {
		aside: true,
		act: func(m *mortal, ctx context.Context, id string) error {
			_, err := m.client.RestoreDeployment(ctx, id, "")
			return err
		},
		end: (*mortal).servesItsState,
	},
	"restore of a snapshot": {
		heir: true,
		act: func(m *mortal, ctx context.Context, id string) error {
			_, err := m.client.RestoreSnapshot(ctx, id, m.old, true)
			return err
		},
		end: (*mortal).servesTheSnapshot,
	},
}

func TestDeathAtEachStepOfADeletion(t *testing.T) {
	if os.Getenv("SLIPWAY_TEST_DATA") != "" {
		serveUntilDeath(t)
		return
	}
	if testing.Short() {
		t.Skip("servers are killed for half a minute")
	}
	binary := mortalBinary(t)
	program, err := drivertest.BuildStandin(t.TempDir())
	must(t, err)
	for name, s := range deletionStories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var with []func(*mortal)
			if s.database {
				with = append(with, withDatabases)
			}
			newMortal(t, binary, program, nil, with...).diesAtEachStep(s)
		})
	}
	t.Run("deletion of a container", func(t *testing.T) {
		t.Parallel()
		newMortal(t, binary, program, dockertest.Start(t), withState).diesAtEachStep(deletionStories["deletion"])
	})
}

// withDatabases has agents get databases.
func withDatabases(m *mortal) { m.postgres = postgrestest.Empty(m.t) }

// withState has agents in containers be built here, which keep a state.
func withState(m *mortal) {
	m.builds = true
	m.importNode()
}

// diesAtEachStep goes through a story until a server outlives it.
func (m *mortal) diesAtEachStep(s deletionStory) {
	if s.heir {
		m.keepOld()
	}
	for n, outlived := 1, false; !outlived; n++ {
		outlived = true
		for _, when := range []string{"before", "after"} {
			if m.dies(n, when, s) {
				outlived = false
			}
		}
		if n > 100 {
			m.t.Fatal("it never ends")
		}
	}
	m.t.Logf("%d servers", m.number)
	m.nothingIsLeft()
}

// mortal is a server in a process of its own, which can be killed, with a
// neighbour that must not notice.
type mortal struct {
	t         *testing.T
	data      string
	listen    string
	ports     slipway.PortRange
	binary    string             // its own
	program   string             // of its agents
	path      string             // where it finds programs, for as long as the test lasts
	engine    *dockertest.Engine // agents are containers in it; nil for processes
	base      string             // of images that are made in it
	images    *dockertest.Registry
	client    *client.Client
	key       string
	secrets   []wire.Secret // of what is deployed
	child     *exec.Cmd
	ended     chan struct{}
	said      *bytes.Buffer
	number    int
	neighbour string   // its birth, and that of its Redis
	before    []string // files
	made      []string // images
	foreign   []string // folders in that of data that are somebody's
	final     string   // folder of final snapshots; "" for none
	old       string   // of which there is one
	postgres  string   // where agents have databases; "" if they have none
	builds    bool     // agents in containers are built here, and keep a state
	looks     bool     // it looks for leftovers often
}

func newMortal(t *testing.T, binary, program string, e *dockertest.Engine, with ...func(*mortal)) *mortal {
	m := &mortal{
		t: t, data: t.TempDir(), listen: fmt.Sprintf("127.0.0.1:%d", drivertest.FreePort(t)), binary: binary, program: program, engine: e,
		said:  &bytes.Buffer{},
		path:  filepath.Dir(redistest.Program(t)) + ":" + os.Getenv("PATH"),
		ports: drivertest.FreePorts(t, 8),
		base:  "node-of-deaths:1",
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.said.String())
		}
	})
	if e != nil {
		m.images = dockertest.NewRegistry(t)
	}
	for _, has := range with {
		has(m)
	}
	m.start("")
	t.Cleanup(m.kill)
	raw, err := os.ReadFile(daemon.AdminKeyFile(m.data))
	must(t, err)
	m.key = strings.TrimSpace(string(raw))
	m.client = client.New("http://"+m.listen, m.key)
	m.write(m.deploy("neighbour"))
	m.neighbour = m.births("neighbour")
	return m
}

// neighbourIsWell sees that it is the same that was started, and has what it had.
func (m *mortal) neighbourIsWell() {
	m.t.Helper()
	if births := m.births("neighbour"); births != m.neighbour {
		m.t.Errorf("the neighbour was started again, or is gone: %q, it was %q", births, m.neighbour)
	}
	if !m.keepsState() {
		return
	}
	_, folder := m.ask("neighbour", http.MethodGet, "/value?name=SLIPWAY_STATE_DIR")
	if _, text := m.ask("neighbour", http.MethodGet, "/read?path="+folder+"/threads"); text != "written" {
		m.t.Errorf("the neighbour's state holds %q", text)
	}
	if m.engine == nil && !m.remembers("neighbour") {
		m.t.Error("the neighbour's Redis does not remember")
	}
}

func (m *mortal) keepsState() bool { return m.engine == nil || m.builds }

// births tell whether an agent, or its Redis, was started anew.
func (m *mortal) births(name string) string {
	_, birth := m.ask(name, http.MethodGet, "/birth")
	if m.engine != nil {
		return birth
	}
	return birth + " " + m.redisSays(name, "run_id")
}

// redis is that of an agent, as it knows it; false while it does not answer, as
// the server dies.
func (m *mortal) redis(name string) (*redis.Client, bool) {
	_, uri := m.ask(name, http.MethodGet, "/value?name=REDIS_URI")
	options, err := redis.ParseURL(uri)
	if err != nil {
		return nil, false
	}
	options.MaxRetries = -1
	return redis.NewClient(options), true
}

func (m *mortal) redisSays(name, what string) string {
	c, ok := m.redis(name)
	if !ok {
		return ""
	}
	defer c.Close()
	said, _ := c.Info(m.t.Context(), "server").Result()
	for line := range strings.Lines(said) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), what+":"); ok {
			return value
		}
	}
	return ""
}

// remembers says whether the Redis of an agent has what write wrote.
func (m *mortal) remembers(name string) bool {
	c, ok := m.redis(name)
	if !ok {
		return false
	}
	defer c.Close()
	return c.Get(m.t.Context(), "job").Val() == "written"
}

// mortalBinary compiles these tests once more, without looking for races: there
// nobody learns what was found in a server that is killed, and its start, of which
// there are hundreds, would take ten times as long.
func mortalBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "daemon.test")
	compile := exec.Command("go", "test", "-c", "-trimpath", "-vet=off", "-ldflags=-s -w", "-o", binary, ".")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compile the server: %v\n%s", err, said)
	}
	return binary
}

// start starts a server that dies as told: "3 before".
func (m *mortal) start(death string) {
	m.child = exec.Command(m.binary, "-test.run=^TestDeathAtEachStepOfADeletion$")
	m.child.Env = append(os.Environ(), "SLIPWAY_TEST_DATA="+m.data, "SLIPWAY_TEST_LISTEN="+m.listen, "SLIPWAY_TEST_DEATH="+death, "SLIPWAY_TEST_FINAL="+m.final, "SLIPWAY_TEST_POSTGRES="+m.postgres,
		"SLIPWAY_TEST_PROGRAM="+m.program, "PATH="+m.path, fmt.Sprintf("SLIPWAY_TEST_PORTS=%d %d", m.ports.First, m.ports.Last))
	if m.engine != nil {
		m.child.Env = append(m.child.Env, "SLIPWAY_TEST_ENGINE="+m.engine.Host(), "SLIPWAY_TEST_BASE="+m.base)
	}
	if m.looks {
		m.child.Env = append(m.child.Env, "SLIPWAY_TEST_LOOK=1")
	}
	m.child.Stdout, m.child.Stderr = m.said, m.said
	must(m.t, m.child.Start())
	m.ended = make(chan struct{})
	go func(child *exec.Cmd, ended chan struct{}) {
		_ = child.Wait()
		close(ended)
	}(m.child, m.ended)
	testsignal.Until(m.t, "the server to be ready", func() bool {
		answer, err := http.Get("http://" + m.listen + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// whileItLives ends with the server: nobody is to try again at one that is dead.
func (m *mortal) whileItLives() context.Context {
	ctx, cancel := context.WithCancel(m.t.Context())
	go func(ended chan struct{}) { <-ended; cancel() }(m.ended)
	return ctx
}

func (m *mortal) kill() {
	_ = m.child.Process.Kill()
	<-m.ended
}

// dies has a server die at a commit or call of what is done, and the next one end
// it. It says whether there were so many.
func (m *mortal) dies(n int, when string, s deletionStory) bool {
	m.number++
	m.note()
	id := m.deploy(fmt.Sprint("app-", m.number))
	defer m.strangers(id)()
	if !s.heir {
		m.write(id)
	}
	if s.aside {
		must(m.t, m.delete(m.t.Context(), id, client.DeleteOptions{}))
		testsignal.Until(m.t, "it to be kept aside", func() bool { return m.isKept(id) })
	}
	m.kill()
	m.start(fmt.Sprint(n, " ", when))
	must(m.t, m.child.Process.Signal(syscall.SIGUSR1))
	testsignal.Until(m.t, "its death to come", func() bool { _, err := os.Stat(filepath.Join(m.data, "armed")); return err == nil })
	_ = s.act(m, m.whileItLives(), id) // it may be dead before it answers
	died := false
	testsignal.Until(m.t, fmt.Sprintf("death %s step %d, or the end", when, n), func() bool {
		select {
		case <-m.ended:
			died = true
		default:
		}
		return died || s.end(m, id)
	})
	m.kill()
	must(m.t, os.Remove(filepath.Join(m.data, "armed")))
	m.start("")
	_ = s.act(m, m.t.Context(), id) // as a client does who got no answer
	testsignal.Until(m.t, fmt.Sprintf("the end after a death %s step %d", when, n), func() bool { return s.end(m, id) })
	m.forget(id)
	m.neighbourIsWell()
	return died
}

// forget removes what the story left, and sees that nothing is left.
func (m *mortal) forget(id string) {
	_ = m.delete(m.t.Context(), id, client.DeleteOptions{Now: true})
	testsignal.Until(m.t, "nothing to be left", func() bool { return m.isDone(id) })
	receipt, err := m.client.Deletion(m.t.Context(), id)
	must(m.t, err)
	for _, item := range receipt.Items {
		if item.RemovedAt == nil || item.VerifiedAt == nil {
			m.t.Errorf("the receipt has no proof for %s %s", item.Kind, item.Ref)
		}
	}
	if after := m.files(); !slices.Equal(after, m.before) {
		m.t.Errorf("files were\n%s\nand are\n%s", strings.Join(m.before, "\n"), strings.Join(after, "\n"))
	}
	if m.engine != nil {
		m.nothingInEngine(id)
	}
}

// note notes what there is before something is deployed.
func (m *mortal) note() {
	m.before = m.files()
	if m.engine != nil {
		m.made = m.imagesInEngine()
	}
}

func (m *mortal) imagesInEngine() (ids []string) {
	m.t.Helper()
	images, err := m.engine.Client(m.t).ImageList(m.t.Context(), dockerclient.ImageListOptions{All: true})
	must(m.t, err)
	for _, i := range images.Items {
		ids = append(ids, i.ID+" "+strings.Join(i.RepoTags, " "))
	}
	slices.Sort(ids)
	return ids
}

func (m *mortal) nothingInEngine(id string) {
	c, ctx := m.engine.Client(m.t), m.t.Context()
	of := make(dockerclient.Filters).Add("label", "slipway.deployment="+id)
	containers, err := c.ContainerList(ctx, dockerclient.ContainerListOptions{All: true, Filters: of})
	must(m.t, err)
	networks, err := c.NetworkList(ctx, dockerclient.NetworkListOptions{Filters: of})
	must(m.t, err)
	volumes, err := c.VolumeList(ctx, dockerclient.VolumeListOptions{Filters: of})
	must(m.t, err)
	if len(containers.Items)+len(networks.Items)+len(volumes.Items) > 0 {
		m.t.Errorf("containers %v, networks %v, volumes %v are left", containers.Items, networks.Items, volumes.Items)
	}
	if now := m.imagesInEngine(); !slices.Equal(now, m.made) {
		m.t.Errorf("images are\n%s\nand were\n%s", strings.Join(now, "\n"), strings.Join(m.made, "\n"))
	}
}

// nothingIsLeft has a server look wherever something may be that nobody knows: it
// finds what is laid there for it, and nothing else.
func (m *mortal) nothingIsLeft() {
	neighbour, err := m.client.FindDeployment(m.t.Context(), "neighbour")
	must(m.t, err)
	must(m.t, m.delete(m.t.Context(), neighbour.ID, client.DeleteOptions{Now: true}))
	testsignal.Until(m.t, "the neighbour to be gone", func() bool { return m.isDone(neighbour.ID) })
	m.kill()
	laid := string(slipway.NewID[slipway.DeploymentID](time.Now()))
	must(m.t, os.MkdirAll(m.folder(laid), 0o700))
	m.said.Reset()
	m.looks = true
	m.start("")
	var found []wire.Leftover
	testsignal.Until(m.t, "a look at what is left", func() bool {
		found, err = m.client.Leftovers(m.t.Context())
		must(m.t, err)
		return len(found) > 0
	})
	m.kill()
	for _, left := range found {
		if left.DeploymentID == nil || *left.DeploymentID != laid {
			m.t.Errorf("%s is left, and known to nobody: %+v", left.What, left)
		}
	}
	if strings.Contains(m.said.String(), "not all is told") {
		m.t.Errorf("not all places were looked at:\n%s", m.said)
	}
}

// files are the paths in the folder of data, but for what belongs to the store.
func (m *mortal) files() (paths []string) {
	must(m.t, filepath.WalkDir(m.data, func(path string, _ fs.DirEntry, err error) error {
		if slices.Contains(m.foreign, path) {
			return fs.SkipDir
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if relative, _ := filepath.Rel(m.data, path); !strings.HasPrefix(relative, "slipway.db") {
			paths = append(paths, relative)
		}
		return err
	}))
	return paths
}

// deploy makes a deployment of a source or an image of its own, and waits until it
// serves.
func (m *mortal) deploy(name string) (id string) {
	m.t.Helper()
	if m.engine != nil && !m.builds {
		id = m.deployImage(name)
	} else {
		id = m.deploySource(name)
	}
	testsignal.Until(m.t, name+" to serve", func() bool {
		status, _ := m.ask(name, http.MethodGet, "/ok")
		return status == http.StatusOK
	})
	return id
}

func (m *mortal) deployImage(name string) string {
	m.images.Publish(m.t, name, "1", dockertest.Program(m.t, "github.com/slipwayhq/slipway/driver/drivertest/standin"), "-print="+name)
	d, err := m.client.CreateDeployment(m.t.Context(), wire.DeploymentCreateRequest{
		Name: name, Source: "external_docker", Secrets: m.secrets,
		SourceRevisionConfig: wire.SourceRevisionConfigRequest{ImageURI: new(m.images.Host + "/" + name + ":1")},
	})
	must(m.t, err)
	return d.ID
}

func (m *mortal) deploySource(name string) string {
	ctx := m.t.Context()
	d, err := m.client.CreateDeployment(ctx, wire.DeploymentCreateRequest{Name: name, Source: "internal_source", Secrets: m.secrets})
	must(m.t, err)
	app := m.t.TempDir()
	must(m.t, os.WriteFile(filepath.Join(app, "langgraph.json"), []byte(`{"graphs":{"a":"./a.ts:a"}}`), 0o600))
	must(m.t, os.WriteFile(filepath.Join(app, "a.ts"), []byte(name), 0o600))
	archive, err := client.Pack(app)
	must(m.t, err)
	defer archive.Close()
	u, err := m.client.UploadURL(ctx, d.ID)
	must(m.t, err)
	must(m.t, m.client.Upload(ctx, u.UploadURL, archive, archive.Size))
	_, err = m.client.PatchDeployment(ctx, d.ID, wire.DeploymentPatchRequest{
		SourceRevisionConfig: &wire.SourceRevisionConfigRequest{SourceTarballPath: &u.ObjectPath},
	})
	must(m.t, err)
	return d.ID
}

// write has an agent write into its state and its Redis, if it has any.
func (m *mortal) write(id string) {
	if !m.keepsState() {
		return
	}
	d, err := m.client.Deployment(m.t.Context(), id)
	must(m.t, err)
	_, folder := m.ask(d.Name, http.MethodGet, "/value?name=SLIPWAY_STATE_DIR")
	if status, text := m.ask(d.Name, http.MethodPost, "/write?path="+folder+"/threads"); status != http.StatusOK || folder == "" {
		m.t.Fatalf("write into %q: %d %s", folder, status, text)
	}
	if m.engine != nil {
		return
	}
	c, ok := m.redis(d.Name)
	if !ok {
		m.t.Fatalf("%s is not told of a Redis", d.Name)
	}
	defer c.Close()
	must(m.t, c.Set(m.t.Context(), "job", "written", 0).Err())
}

func (m *mortal) servesItsState(id string) bool {
	d, err := m.client.Deployment(m.t.Context(), id)
	if err != nil {
		return false
	}
	status, text := m.ask(d.Name, http.MethodGet, "/read?path="+filepath.Join(m.data, "deployments", id, "state", "threads"))
	return status == http.StatusOK && text == "written" && m.remembers(d.Name)
}

// keepOld leaves the snapshot of what is there no more.
func (m *mortal) keepOld() {
	m.final = m.t.TempDir()
	m.kill()
	m.start("")
	m.old = m.deploy("old")
	m.write(m.old)
	must(m.t, m.delete(m.t.Context(), m.old, client.DeleteOptions{Now: true}))
	testsignal.Until(m.t, "its end", func() bool { return m.isDone(m.old) })
}

func (m *mortal) servesTheSnapshot(id string) bool {
	d, err := m.client.Deployment(m.t.Context(), id)
	if err != nil || d.SnapshotRestore == nil || d.SnapshotRestore.State != string(slipway.RestoreDone) {
		return false
	}
	status, text := m.ask(d.Name, http.MethodGet, "/read?path="+filepath.Join(m.data, "deployments", id, "state", "threads"))
	return status == http.StatusOK && text == "written"
}

func (m *mortal) ask(name, method, path string) (int, string) {
	w := world{t: m.t, key: m.key}
	return w.at(method, "http://"+m.listen+"/d/"+name+path)
}

func (m *mortal) delete(ctx context.Context, id string, o client.DeleteOptions) error {
	return m.client.DeleteDeployment(ctx, id, o)
}

func (m *mortal) isKept(id string) bool { return m.state(id) == string(slipway.DeletionKept) }
func (m *mortal) isDone(id string) bool { return m.state(id) == string(slipway.DeletionDone) }

func (m *mortal) state(id string) string {
	d, err := m.client.Deletion(m.t.Context(), id)
	if err != nil {
		return ""
	}
	return d.State
}

// keeper is a kind whose agents keep state, and use a Redis and perhaps a
// database.
type keeper struct {
	standin
	database bool
}

func (k keeper) Agent() slipway.AgentKind {
	agent := stateful{}.Agent()
	agent.Needs = slipway.Needs{Redis: true, Postgres: k.database}
	return agent
}

// An agent in a container has a Redis of its own too, and reaches it.
func TestARedisOfAContainer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts an engine")
	}
	t.Parallel()
	m := newMortal(t, mortalBinary(t), "", dockertest.Start(t))
	m.note()
	m.images.PublishFiles(t, "server", "1", map[string][]byte{"program": dockertest.Program(t, "github.com/slipwayhq/slipway/driver/drivertest/standin")}, map[string]any{
		"Entrypoint": []string{"/program"}, "Env": []string{"LANGSERVE_GRAPHS={}"},
	})
	d, err := m.client.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{
		Name: "app", Source: "external_docker", Secrets: []wire.Secret{{Name: "POSTGRES_URI_CUSTOM", Value: "postgresql://nowhere"}},
		SourceRevisionConfig: wire.SourceRevisionConfigRequest{ImageURI: new(m.images.Host + "/server:1")},
	})
	must(t, err)
	testsignal.Until(t, "the container to serve", func() bool {
		status, _ := m.ask("app", http.MethodGet, "/ok")
		return status == http.StatusOK
	})
	_, uri := m.ask("app", http.MethodGet, "/value?name=REDIS_URI")
	at, err := url.Parse(uri)
	must(t, err)
	password, _ := at.User.Password()
	said := url.Values{"address": {at.Host}, "text": {"AUTH " + password + "\r\nPING\r\nQUIT\r\n"}}
	if _, answer := m.ask("app", http.MethodPost, "/talk?"+said.Encode()); answer != "+OK\r\n+PONG\r\n+OK\r\n" {
		t.Errorf("at %s the container is told %q", at.Host, answer)
	}
	said.Set("text", "PING\r\nQUIT\r\n")
	if _, answer := m.ask("app", http.MethodPost, "/talk?"+said.Encode()); !strings.HasPrefix(answer, "-NOAUTH") {
		t.Errorf("without the password it is told %q", answer)
	}
	m.forget(d.ID)
	m.nothingIsLeft()
}

// A Redis that is killed under its agent comes back with what it kept, where it
// was; and neither knows of it when their server is.
func TestARedisComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	t.Parallel()
	program, err := drivertest.BuildStandin(t.TempDir())
	must(t, err)
	m := newMortal(t, mortalBinary(t), program, nil)
	m.note()
	id := m.deploy("app")
	m.write(id)
	births := m.births("app")
	m.kill()
	m.start("")
	if now := m.births("app"); now != births {
		t.Errorf("after another start of the server: %q, it was %q", now, births)
	}
	for range 2 { // at once, and after a while
		run := m.redisSays("app", "run_id")
		pid, err := strconv.Atoi(m.redisSays("app", "process_id"))
		must(t, err)
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		testsignal.Until(t, "another process with what was kept", func() bool {
			now := m.redisSays("app", "run_id")
			return now != "" && now != run && m.remembers("app")
		})
	}
	if agent, _, _ := strings.Cut(m.births("app"), " "); !strings.HasPrefix(births, agent+" ") {
		t.Errorf("the agent was started again")
	}
	testsignal.Until(t, "its log to tell of each start", func() bool { return m.logged(id, "Ready to accept connections") == 3 })
	m.forget(id)
	m.nothingIsLeft()
}

// logged counts the lines with a text in the log of a deployment's agents.
func (m *mortal) logged(id, text string) (n int) {
	d, err := m.client.Deployment(m.t.Context(), id)
	must(m.t, err)
	for line, err := range m.client.DeployLogs(m.t.Context(), id, *d.LatestRevisionID, client.LogOptions{}) {
		must(m.t, err)
		if strings.Contains(line.Message, text) {
			n++
		}
	}
	return n
}

// serveUntilDeath is the server.
func serveUntilDeath(t *testing.T) {
	var first, last int
	_, err := fmt.Sscan(os.Getenv("SLIPWAY_TEST_PORTS"), &first, &last)
	must(t, err)
	data := os.Getenv("SLIPWAY_TEST_DATA")
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	config := daemon.Config{
		Data: data, DockerHost: os.Getenv("SLIPWAY_TEST_ENGINE"), Listen: os.Getenv("SLIPWAY_TEST_LISTEN"), Ports: slipway.PortRange{First: first, Last: last}, Builds: 1,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Kinds: []func(string, string) kind.Kind{func(string, string) kind.Kind {
			return keeper{standin{program: os.Getenv("SLIPWAY_TEST_PROGRAM")}, os.Getenv("SLIPWAY_TEST_POSTGRES") != ""}
		}},
	}
	if d := newDoom(data, os.Getenv("SLIPWAY_TEST_DEATH")); d != nil {
		config.Around, config.AroundWorld = d.store, d.world
	}
	if os.Getenv("SLIPWAY_TEST_LOOK") != "" {
		config.Leftovers.Every = time.Second
	}
	if config.DockerHost != "" {
		config.Images = &image.Bases{Node: os.Getenv("SLIPWAY_TEST_BASE")}
	}
	config.Databases.Postgres = os.Getenv("SLIPWAY_TEST_POSTGRES")
	config.Service.Undo, config.Final = time.Hour, os.Getenv("SLIPWAY_TEST_FINAL")
	_, err = daemon.Start(context.Background(), config)
	must(t, err)
	<-terms
}
