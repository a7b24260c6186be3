// Package e2e tests what users get: the binary, through its public doors, with
// the real agent server and the vendor's own client.
package e2e_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// patience bounds every wait. It is long: a test that waits for it has failed,
// and one that does not is not slowed by it.
const patience = 4 * time.Minute

var (
	scratch string // for the whole run; in it the binary and the warm caches
	binary  string
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "slipway-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	binary = filepath.Join(scratch, "slipway")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "../cmd/slipway") // as make build does, which so has compiled it
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build slipway:", err)
		return 1
	}
	return m.Run()
}

// server is a slipway server of a test's own.
type server struct {
	*client.Client
	t      *testing.T
	data   string
	url    string
	key    string
	args   []string
	env    []string // beside the test's own
	log    string   // file
	socket *os.File // open before the server is, nil for none
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process has ended

	deployed bool // there are deployments, whose own logs say more
}

// newServer starts a server on a folder whose caches are warm: what is shared
// between apps has been installed before.
func newServer(t *testing.T, args ...string) *server {
	t.Helper()
	return serverOn(t, linked(t, warm(t)), args...)
}

// linked is a folder of data for a server that has these caches.
func linked(t *testing.T, cache string) (data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	must(t, os.MkdirAll(data, 0o700))
	if out, err := exec.Command("cp", "-al", cache, filepath.Join(data, "cache")).CombinedOutput(); err != nil {
		t.Fatalf("link caches: %v: %s", err, out)
	}
	return data
}

var warmOnce = sync.OnceValues(func() (string, error) {
	data := filepath.Join(scratch, "warm")
	cmd := exec.Command(binary, "demo", "--once", "--data", data)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return filepath.Join(data, "cache"), err
})

// warm returns caches that a demo has filled.
func warm(t *testing.T) string {
	t.Helper()
	cache, err := warmOnce()
	must(t, err)
	return cache
}

// patientMisses is for a machine that lets nobody answer for a while: an agent is
// then started again only where a test asks for that.
const patientMisses = "100"

func serverOn(t *testing.T, data string, args ...string) *server {
	t.Helper()
	s := &server{t: t, data: data, args: args, log: filepath.Join(t.TempDir(), "server.log")}
	address := freeAddress(t)
	s.url = "http://" + address
	s.args = append([]string{"server", "--data", data, "--listen", address, "--debug", "--health-misses", patientMisses}, args...)
	t.Cleanup(func() {
		s.stop()
		killAgents(data)
		endPostgres(t, data)
		if t.Failed() && !s.deployed {
			s.printLog(t, "")
		}
	})
	s.start()
	return s
}

// start runs the server and waits until it is ready.
func (s *server) start() {
	s.t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(s.t, err)
	defer log.Close()
	s.cmd = s.command()
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = append(os.Environ(), s.env...), log, log
	must(s.t, s.cmd.Start())
	s.done = make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(s.done)
	}()
	eventually(s.t, "the server is ready", func() bool {
		select {
		case <-s.done:
			s.t.Fatalf("the server ended: %s", s.cmd.ProcessState)
		default:
		}
		return client.New(s.url, "").Ready(s.t.Context()) == nil
	})
	key, err := os.ReadFile(filepath.Join(s.data, "admin.key"))
	must(s.t, err)
	s.key = string(key)
	s.Client = client.New(s.url, s.key)
}

// stop asks the server to stop and returns its exit code.
func (s *server) stop() int { return s.end(syscall.SIGTERM) }

// kill ends the server where it stands.
func (s *server) kill() { s.end(syscall.SIGKILL) }

func (s *server) end(signal syscall.Signal) int {
	if s.cmd == nil || s.cmd.Process == nil {
		return -1
	}
	_ = s.cmd.Process.Signal(signal)
	select {
	case <-s.done:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		s.t.Errorf("the server did not end within %s of %s", patience, signal)
	}
	return s.cmd.ProcessState.ExitCode()
}

// printLog shows what the server said of a deployment, or, without one, at the
// end.
func (s *server) printLog(t *testing.T, deployment string) {
	raw, _ := os.ReadFile(s.log)
	var lines []string
	for line := range strings.Lines(string(raw)) {
		if strings.Contains(line, deployment) {
			lines = append(lines, line)
		}
	}
	t.Logf("the server's log of %s:\n%s", cmp.Or(deployment, "everything"), strings.Join(lines[max(0, len(lines)-80):], ""))
}

// deployment is one on a server, by the test that made it.
type deployment struct {
	*server
	id  string
	url string
}

func (s *server) create(name string) *deployment {
	s.t.Helper()
	d, err := s.CreateDeployment(s.t.Context(), wire.DeploymentCreateRequest{
		Name: name, Source: "internal_source", Secrets: []wire.Secret{{Name: "GREETING", Value: "canary-5ecret"}},
	})
	must(s.t, err)
	return s.made(d)
}

// made is a deployment that a test has created as it needs it.
func (s *server) made(d wire.Deployment) *deployment {
	s.deployed = true
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.printLog(s.t, d.ID)
		}
	})
	return &deployment{server: s, id: d.ID, url: s.url + "/d/" + d.Name}
}

// push uploads bytes as a source and makes a revision of them.
func (d *deployment) push(source []byte) wire.Revision {
	d.t.Helper()
	ctx := d.t.Context()
	u, err := d.UploadURL(ctx, d.id)
	must(d.t, err)
	must(d.t, d.Upload(ctx, u.UploadURL, bytes.NewReader(source), int64(len(source))))
	v, err := d.PatchDeployment(ctx, d.id, wire.DeploymentPatchRequest{
		SourceRevisionConfig: &wire.SourceRevisionConfigRequest{SourceTarballPath: &u.ObjectPath},
	})
	must(d.t, err)
	r, err := d.Revision(ctx, d.id, *v.LatestRevisionID)
	must(d.t, err)
	return r
}

// await follows a revision to its end.
func (d *deployment) await(r wire.Revision) wire.Revision {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	end, err := d.WatchRevision(ctx, d.id, r.ID, func(string, time.Time) {})
	must(d.t, err)
	return end
}

// purge deletes the deployment for good, and waits until nothing is left of it.
func (d *deployment) purge() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	must(d.t, d.DeleteDeployment(ctx, d.id, client.DeleteOptions{Now: true}))
	end, err := d.WatchDeletion(ctx, d.id, func(wire.Deletion) {})
	if err != nil || end.State != "done" {
		d.t.Fatalf("it is not gone: %v\n%+v", err, end)
	}
}

// deploy pushes an app and expects it to serve.
func (d *deployment) deploy(app []byte) wire.Revision {
	d.t.Helper()
	r := d.await(d.push(app))
	if r.Status != "DEPLOYED" {
		d.t.Fatalf("revision is %s: %s", r.Status, deref(r.StatusMessage))
	}
	return r
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// pack makes the tarball of an app, changed by edits: path to content, where ""
// removes.
func pack(t *testing.T, dir string, edits map[string]string) []byte {
	t.Helper()
	app := t.TempDir()
	must(t, os.CopyFS(app, os.DirFS(dir)))
	must(t, os.RemoveAll(filepath.Join(app, "node_modules")))
	for path, content := range edits {
		path = filepath.Join(app, path)
		if content == "" {
			must(t, os.Remove(path))
			continue
		}
		must(t, os.WriteFile(path, []byte(content), 0o644))
	}
	archive, err := client.Pack(app)
	must(t, err)
	defer archive.Close()
	raw, err := io.ReadAll(archive)
	must(t, err)
	return raw
}

const echo = "../examples/echo-js"

// agent is a process that runs an instance.
type agent struct {
	pid  int
	data string
}

// agents finds the processes whose folders lie in the folder of data.
func agents(data string) []agent {
	var found []agent
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !bytes.Contains(env, []byte("SLIPWAY_INSTANCE=")) || !bytes.Contains(env, []byte(data)) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			found = append(found, agent{pid, data})
		}
	}
	return found
}

// mains are those agents that are the leader of their session.
func mains(data string) []int {
	var pids []int
	for _, a := range agents(data) {
		if sid, err := getsid(a.pid); err == nil && sid == a.pid {
			pids = append(pids, a.pid)
		}
	}
	return pids
}

func getsid(pid int) (int, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+2:]))
	return strconv.Atoi(fields[3])
}

func killAgents(data string) {
	for _, a := range agents(data) {
		_ = syscall.Kill(a.pid, syscall.SIGKILL)
	}
}

// endPostgres ends the PostgreSQL of a server, which outlives it.
func endPostgres(t *testing.T, data string) {
	lock, err := os.ReadFile(filepath.Join(data, "postgres", "data", "postmaster.pid"))
	if err != nil {
		return // there is none
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.Split(string(lock), "\n")[0]))
	must(t, err)
	if err := syscall.Kill(pid, syscall.SIGQUIT); errors.Is(err, syscall.ESRCH) {
		return
	}
	eventually(t, "PostgreSQL has ended", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until ok, and fails with what was awaited.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// get asks an agent, with the server's key, and returns status and body.
func (d *deployment) get(path string) (int, string, error) {
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url+path, nil)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("X-Api-Key", d.key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

func (d *deployment) logs(all func(context.Context) ([]wire.LogLine, error)) string {
	lines, err := all(d.t.Context())
	must(d.t, err)
	var text strings.Builder
	for _, l := range lines {
		fmt.Fprintln(&text, l.Message)
	}
	return text.String()
}

func (d *deployment) buildLog(r wire.Revision) string {
	return d.logs(func(ctx context.Context) (lines []wire.LogLine, err error) {
		for l, err := range d.BuildLogs(ctx, d.id, r.ID, client.LogOptions{}) {
			if err != nil {
				return nil, err
			}
			lines = append(lines, l)
		}
		return lines, nil
	})
}

func (d *deployment) deployLog(r string) string {
	return d.logs(func(ctx context.Context) (lines []wire.LogLine, err error) {
		for l, err := range d.DeployLogs(ctx, d.id, r, client.LogOptions{}) {
			if err != nil {
				return nil, err
			}
			lines = append(lines, l)
		}
		return lines, nil
	})
}

// lastLines is for messages of failures.
func lastLines(raw []byte, n int) string {
	var lines []string
	for s := bufio.NewScanner(bytes.NewReader(raw)); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

var errRefused = errors.New("a request was refused")
