package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/database/server"
	"github.com/slipwayhq/slipway/internal/backoff"
	"github.com/slipwayhq/slipway/internal/confine"
	"github.com/slipwayhq/slipway/internal/startstop/startstoptest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// uid is that of the servers of tests. It has no name.
const uid = 60790

// child has a run of this test's binary act as a Slipway that has a server in a
// folder, until it is killed; childPort is where it listens.
const (
	child     = "SLIPWAY_SERVER_TEST_CHILD"
	childPort = "SLIPWAY_SERVER_TEST_PORT"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(child); folder != "" {
		c := config(folder)
		c.Port, _ = strconv.Atoi(os.Getenv(childPort))
		s, err := server.Open(c)
		if err == nil {
			_, err = s.Endpoint(context.Background(), true)
		}
		fmt.Println("up", err)
		select {}
	}
	os.Exit(run(m))
}

// scratch is there as long as the tests run.
var scratch string

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "slipway-pgserver-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	return m.Run()
}

// ports are those of folders. What stops and comes again is at the same one, which
// no server of another test or package takes meanwhile.
var (
	ports    sync.Map
	lastPort atomic.Int64
)

const portsFrom = 16100

func portOf(folder string) int {
	port, there := ports.Load(folder)
	if !there {
		port, _ = ports.LoadOrStore(folder, portsFrom+int(lastPort.Add(1)))
	}
	return port.(int)
}

func config(folder string) server.Config {
	c := server.Config{
		Folder: folder, Hide: filepath.Dir(folder), User: &confine.User{UID: uid, GID: uid}, Port: portOf(folder),
		Restart: backoff.Exponential{First: time.Millisecond, Most: 100 * time.Millisecond},
		Logger:  slog.New(slog.DiscardHandler),
	}
	if os.Getenv("SLIPWAY_SERVER_TEST_LOG") != "" {
		c.Logger = slog.Default()
	}
	return c
}

// newFolder returns one for a server, which is stopped when the test ends. The data
// folder around it is closed, as it is in earnest.
func newFolder(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a PostgreSQL")
	}
	data := t.TempDir()
	if err := os.Chmod(data, 0o700); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(data, "postgres")
	t.Cleanup(func() {
		s, err := server.Open(config(folder))
		if err == nil {
			err = s.Stop(context.Background())
		}
		if err != nil {
			t.Error(err)
		}
		if t.Failed() {
			said, _ := os.ReadFile(filepath.Join(folder, "log"))
			t.Logf("PostgreSQL said:\n%s", said)
		}
	})
	return folder
}

// hasty trades what survives a crash of the machine for speed.
const hasty = "fsync = off\nfull_page_writes = off\n"

// ran is the folder of a server that has run, from which others are copied: to make
// a cluster takes longer than most of what tests do with one.
var ran = sync.OnceValues(func() (string, error) {
	folder := filepath.Join(scratch, "ran")
	s, err := server.Open(config(folder))
	if err != nil {
		return "", err
	}
	_, err = s.Endpoint(context.Background(), true)
	if err := errors.Join(err, s.Stop(context.Background())); err != nil {
		return "", err
	}
	err = os.WriteFile(filepath.Join(folder, "conf", "custom.conf"), []byte(hasty), 0o644)
	return folder, errors.Join(err, os.Remove(filepath.Join(folder, "port")))
})

// ranBefore returns the folder of a server that has run before, somewhere.
func ranBefore(t testing.TB) string {
	t.Helper()
	folder := newFolder(t)
	from, err := ran()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", from, folder).CombinedOutput(); err != nil {
		t.Fatalf("copy a cluster: %v: %s", err, out)
	}
	return folder
}

// slipwayAt is another process that has the server of a folder.
func slipwayAt(program, folder string) *exec.Cmd {
	cmd := exec.Command(program, "-test.run=^$")
	cmd.Env = append(os.Environ(), child+"="+folder, childPort+"="+strconv.Itoa(portOf(folder)))
	return cmd
}

func open(t testing.TB, c server.Config) *server.Server {
	t.Helper()
	s, err := server.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// reach waits until a server is up, whatever it was before.
func reach(t testing.TB, s *server.Server) database.Endpoint {
	t.Helper()
	var e database.Endpoint
	var err error
	testsignal.Eventually(t, "PostgreSQL", func() bool {
		e, err = s.Endpoint(t.Context(), true)
		return err == nil
	})
	return e
}

func connect(t testing.TB, e database.Endpoint) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), e.Admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func ask(t testing.TB, conn *pgx.Conn, query string) (answer string) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

// first is the number of PostgreSQL's first process.
func first(t testing.TB, folder string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestStartsWhenNeeded(t *testing.T) {
	t.Parallel()
	folder := newFolder(t)
	c := config(folder)
	c.Port = 0 // the first free one
	s := open(t, c)
	if _, err := s.Endpoint(t.Context(), false); !errors.Is(err, database.ErrNoServer) {
		t.Fatalf("before it is needed: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "data")); !os.IsNotExist(err) {
		t.Fatalf("there is data already: %v", err)
	}
	e := reach(t, s)
	conn := connect(t, e)
	for query, want := range map[string]string{
		"SHOW data_checksums":       "on",
		"SHOW password_encryption":  "scram-sha-256",
		"SHOW listen_addresses":     "127.0.0.1",
		"SHOW fsync":                "on",
		"SHOW server_encoding":      "UTF8",
		"SELECT current_user || ''": "slipway",
		"SELECT lower('ÄÖ')":        "äö",
	} {
		if got := ask(t, conn, query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	pid := first(t, folder)
	if session, err := unix.Getsid(pid); err != nil || session != pid {
		t.Errorf("session %d of %d, %v", session, pid, err)
	}
	info, err := os.Stat("/proc/" + strconv.Itoa(pid))
	if err != nil || os.Geteuid() == 0 && info.Sys().(*syscall.Stat_t).Uid != uid {
		t.Errorf("it runs as %+v, %v", info.Sys(), err)
	}
	if file, err := os.Stat(filepath.Join(folder, "admin")); err != nil || file.Mode().Perm() != 0o600 {
		t.Errorf("the password's file: %v, %v", file.Mode(), err)
	}
}

// The administrator comes by the socket, and nobody without a password.
func TestAccess(t *testing.T) {
	t.Parallel()
	s := open(t, config(ranBefore(t)))
	e := reach(t, s)
	conn := connect(t, e)
	if _, err := conn.Exec(t.Context(), "CREATE ROLE someone LOGIN PASSWORD 'p'"); err != nil {
		t.Fatal(err)
	}
	wrong := e.Admin.Copy()
	wrong.Password = "wrong"
	if _, err := pgx.ConnectConfig(t.Context(), wrong); stateOf(err) != "28P01" {
		t.Errorf("a wrong password: %v", err)
	}
	for name, c := range map[string]struct{ user, password, database, state string }{
		"the administrator":        {"slipway", e.Admin.Password, "postgres", "28000"},
		"somebody without a right": {"someone", "p", "postgres", "42501"},
		"into the template":        {"someone", "p", "template1", "42501"},
		"a wrong password":         {"someone", "", "postgres", "28P01"},
	} {
		uri := fmt.Sprintf("postgresql://%s:%s@%s/%s", c.user, c.password, e.Agents.Host, c.database)
		if _, err := pgx.Connect(t.Context(), uri); stateOf(err) != c.state {
			t.Errorf("%s: %v, want %s", name, err, c.state)
		}
	}
}

func stateOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

func TestAdoptedAfterClose(t *testing.T) {
	t.Parallel()
	folder := ranBefore(t)
	s := open(t, config(folder))
	e := reach(t, s)
	conn, pid := connect(t, e), first(t, folder)
	s.Close()
	if _, err := s.Endpoint(t.Context(), true); err != nil && !strings.Contains(err.Error(), "not looked after") {
		t.Errorf("after Close: %v", err)
	}
	again := reach(t, open(t, config(folder)))
	if now := first(t, folder); now != pid || again.Agents.Host != e.Agents.Host {
		t.Errorf("%d at %s was %d at %s", now, again.Agents.Host, pid, e.Agents.Host)
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Errorf("a connection did not last: %v", err)
	}
	connect(t, again)
}

// A Slipway that is killed leaves its server running, from its first start on.
func TestAdoptedAfterKill(t *testing.T) {
	t.Parallel()
	folder := newFolder(t)
	cmd := slipwayAt(os.Args[0], folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "up <nil>\n" {
		t.Errorf("the child said %q, %v", line, err)
	}
	pid := first(t, folder)
	if err := errors.Join(cmd.Process.Kill(), ignore(cmd.Wait())); err != nil {
		t.Fatal(err)
	}
	connect(t, reach(t, open(t, config(folder))))
	if now := first(t, folder); now != pid {
		t.Errorf("%d was %d", now, pid)
	}
}

// ignore the end of what was killed.
func ignore(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// Killed at any moment of its first start, it is up the next time.
func TestKilledWhileItStarts(t *testing.T) {
	t.Parallel()
	for _, reached := range []string{"admin", "making-*", "making-*/data/base", "data", "conf", "log", "data/postmaster.pid"} {
		t.Run(reached, func(t *testing.T) {
			t.Parallel()
			folder := newFolder(t)
			cmd := slipwayAt(os.Args[0], folder)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			testsignal.Eventually(t, reached, func() bool {
				found, _ := filepath.Glob(filepath.Join(folder, reached))
				return len(found) > 0
			})
			if err := errors.Join(cmd.Process.Kill(), ignore(cmd.Wait())); err != nil {
				t.Fatal(err)
			}
			connect(t, reach(t, open(t, config(folder))))
		})
	}
}

// What crashes is started again, at the same place and with what was committed.
func TestCrash(t *testing.T) {
	t.Parallel()
	folder := ranBefore(t)
	s := open(t, config(folder))
	e := reach(t, s)
	conn, pid := connect(t, e), first(t, folder)
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept (n int)"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testsignal.Eventually(t, "another process", func() bool {
		again, err := s.Endpoint(t.Context(), false)
		return err == nil && again.Agents.Host == e.Agents.Host && first(t, folder) != pid
	})
	ask(t, connect(t, reach(t, s)), "SELECT count(*) || '' FROM kept")
}

func TestStop(t *testing.T) {
	t.Parallel()
	folder := ranBefore(t)
	s := open(t, config(folder))
	connect(t, reach(t, s))
	pid := first(t, folder)
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "data", "postmaster.pid")); !os.IsNotExist(err) {
		t.Errorf("it did not end cleanly: %v", err)
	}
	if _, err := s.Endpoint(t.Context(), true); err == nil {
		t.Error("it is reached")
	}
	connect(t, reach(t, open(t, config(folder))))
}

// After the death of the machine, a lock may name a process that is another's.
func TestLocksOfAnotherTime(t *testing.T) {
	t.Parallel()
	folder := ranBefore(t)
	s := open(t, config(folder))
	reach(t, s)
	lock := filepath.Join(folder, "data", "postmaster.pid")
	text, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	stranger := exec.Command("sleep", "1000")
	stranger.Dir = "/"
	if os.Geteuid() == 0 {
		stranger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Process.Kill(); _ = stranger.Wait() }()
	_, rest, _ := strings.Cut(string(text), "\n")
	for _, file := range []string{lock, filepath.Join(folder, "run", ".s.PGSQL."+strconv.Itoa(portOf(folder))+".lock")} {
		if err := os.WriteFile(file, []byte(fmt.Sprintf("%d\n%s", stranger.Process.Pid, rest)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Lchown(file, uid, uid); os.Geteuid() == 0 && err != nil {
			t.Fatal(err)
		}
	}
	connect(t, reach(t, open(t, config(folder))))
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the stranger: %v", err)
	}
}

// fails waits for the reason why a server is down.
func fails(t testing.TB, s *server.Server) (reason error) {
	t.Helper()
	testsignal.Eventually(t, "a reason", func() bool {
		_, reason = s.Endpoint(t.Context(), true)
		return reason != nil
	})
	return reason
}

func TestAnotherVersion(t *testing.T) {
	t.Parallel()
	folder := ranBefore(t)
	s := open(t, config(folder))
	reach(t, s)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "data", "PG_VERSION")
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, "99\n")
	reason := fails(t, open(t, config(folder)))
	if f, ok := errors.AsType[*slipway.Failure](reason); !ok || f.Code != "postgres_version" || !strings.Contains(f.Message, "are of PostgreSQL 99") || !strings.Contains(f.Hint, "postgresql-99") {
		t.Errorf("%v", reason)
	}
	write(t, file, string(was))
}

func write(t testing.TB, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	folder := ranBefore(t)
	s := open(t, config(folder))
	host := reach(t, s).Agents.Host
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	stranger, err := net.Listen("tcp4", host)
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, config(folder))
	if reason := fails(t, s); !strings.Contains(reason.Error(), "is taken by another program") {
		t.Errorf("%v", reason)
	}
	stranger.Close()
	if e := reach(t, s); e.Agents.Host != host {
		t.Errorf("it is at %s, and was at %s", e.Agents.Host, host)
	}
}

// A server that can not start says why.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	folder := ranBefore(t)
	s := open(t, config(folder))
	reach(t, s)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	custom := filepath.Join(folder, "conf", "custom.conf")
	if err := os.WriteFile(custom, []byte("work_memory = '1MB'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s = open(t, config(folder))
	if reason := fails(t, s); !strings.Contains(reason.Error(), `unrecognized configuration parameter "work_memory"`) {
		t.Errorf("%v", reason)
	}
	if err := os.WriteFile(custom, []byte("work_mem = '1MB'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, connect(t, reach(t, s)), "SHOW work_mem"); got != "1MB" {
		t.Errorf("work_mem is %s", got)
	}
}

// Where we are not root it is of our user.
func TestByAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("the other tests are it")
	}
	folder := newFolder(t)
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	id, err := strconv.Atoi(nobody.Uid)
	if err != nil {
		t.Fatal(err)
	}
	for _, above := range []string{filepath.Dir(folder), filepath.Dir(filepath.Dir(folder))} {
		if err := errors.Join(os.Chmod(above, 0o755), os.Lchown(above, id, id)); err != nil {
			t.Fatal(err)
		}
	}
	// The binary of the test lies where only root gets to.
	self := filepath.Join(filepath.Dir(folder), "self")
	if out, err := exec.Command("cp", os.Args[0], self).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := slipwayAt(self, folder)
	cmd.Env, cmd.Dir = append(cmd.Env, "HOME=/"), "/"
	cmd.SysProcAttr, cmd.Stderr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(id), Gid: uint32(id)}}, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "up <nil>\n" {
		t.Errorf("the child said %q, %v", line, err)
	}
	if err := errors.Join(cmd.Process.Kill(), ignore(cmd.Wait())); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat("/proc/" + strconv.Itoa(first(t, folder)))
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != uint32(id) {
		t.Errorf("it runs as %+v, %v", info.Sys(), err)
	}
}

// After a change of the user that it runs as it is that one's.
func TestAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becomes other users")
	}
	folder := ranBefore(t)
	s := open(t, config(folder))
	reach(t, s)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := config(folder)
	c.User = &confine.User{UID: uid + 1, GID: uid + 1}
	connect(t, reach(t, open(t, c)))
	info, err := os.Stat("/proc/" + strconv.Itoa(first(t, folder)))
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != uid+1 {
		t.Errorf("it runs as %+v, %v", info.Sys(), err)
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("mounts a small disk")
	}
	folder := newFolder(t)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("small", folder, "tmpfs", 0, "size=20m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	s := open(t, config(folder))
	if reason := fails(t, s); !strings.Contains(reason.Error(), "the disk of "+folder+" is full") {
		t.Errorf("%v", reason)
	}
	if err := syscall.Mount("small", folder, "tmpfs", syscall.MS_REMOUNT, "size=400m"); err != nil {
		t.Fatal(err)
	}
	connect(t, reach(t, s))
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// What is started and let go again is adopted each time.
func TestOpenAndClose(t *testing.T) { // not parallel: it looks for leaks
	folder := ranBefore(t)
	s := open(t, config(folder))
	reach(t, s)
	s.Close()
	pid := first(t, folder)
	startstoptest.Run(t, func(ctx context.Context) (func() error, error) {
		s, err := server.Open(config(folder))
		if err != nil {
			return nil, err
		}
		return s.Close, nil
	})
	connect(t, reach(t, open(t, config(folder))))
	if now := first(t, folder); now != pid {
		t.Errorf("%d was %d", now, pid)
	}
}
