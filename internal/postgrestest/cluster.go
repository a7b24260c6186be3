package postgrestest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// settings trade what survives a crash of the machine for speed. One test binary
// has one cluster, so its tests may be many at once.
const settings = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"

// access lets the administrator in who reaches the socket's folder. All other roles
// are asked for their password.
const access = "local all postgres trust\nlocal all all scram-sha-256\nhost all all all scram-sha-256\n"

// watcher removes a cluster, $2, with the programs in $1, when the other end of
// its standard input is closed: by Close, or by the end of the process. It may have
// been frozen then.
const watcher = `read -r _; kill -CONT "$(head -n 1 "$2/data/postmaster.pid")" 2>/dev/null; "$1/pg_ctl" -D "$2/data" -m immediate -w stop; rm -rf "$2"`

// Cluster is a running PostgreSQL server.
type Cluster struct {
	dir     string // short: the socket lies in it
	listen  string // an address beside it, "" for none
	bin     string
	as      *syscall.Credential // nil for ourselves
	watcher *exec.Cmd
	alive   io.Closer // the watcher's standard input
}

// Start starts a cluster that the test may stop and start; it is removed when
// the test ends.
func Start(t testing.TB) *Cluster {
	t.Helper()
	return StartAt(t, "")
}

// StartAt is Start of a cluster that listens at an address of this machine too, at
// PostgreSQL's own port.
func StartAt(t testing.TB, host string) *Cluster {
	t.Helper()
	skipShort(t)
	c, err := startAt(host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func start() (*Cluster, error) { return startAt("") }

func startAt(host string) (*Cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, listen: host}
	if c.dir, err = os.MkdirTemp("", "slipway-pg-"); err != nil {
		return nil, err
	}
	// Agents with users of their own come to the socket; data is in a folder
	// that is closed.
	if err = os.Chmod(c.dir, 0o711); err == nil {
		err = c.begin()
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("start a PostgreSQL for tests in %s: %w", c.dir, err)
	}
	return c, nil
}

// begin starts the watcher as soon as there is something to remove.
func (c *Cluster) begin() error {
	if os.Getuid() == 0 {
		if err := c.leaveRoot(); err != nil {
			return err
		}
	}
	if err := c.watch(); err != nil {
		return err
	}
	if err := c.run("initdb", "-D", c.data(), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-A", "trust"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.data(), "pg_hba.conf"), []byte(access), 0o600); err != nil {
		return err
	}
	return c.Up()
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// watch starts the watcher, in a session of its own so that an interrupt from
// the keyboard does not end it.
func (c *Cluster) watch() (err error) {
	c.watcher = exec.Command("/bin/sh", "-c", watcher, "watcher", c.bin, c.dir)
	c.watcher.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.as}
	if c.alive, err = c.watcher.StdinPipe(); err != nil {
		return err
	}
	return c.watcher.Start()
}

// leaveRoot has the cluster run as another user: PostgreSQL refuses to be root.
func (c *Cluster) leaveRoot() error {
	who, err := user.Lookup("postgres")
	if err != nil {
		who, err = user.Lookup("nobody")
	}
	if err != nil {
		return err
	}
	uid, _ := strconv.ParseUint(who.Uid, 10, 32)
	gid, _ := strconv.ParseUint(who.Gid, 10, 32)
	c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(c.dir, int(uid), int(gid))
}

// Up starts the cluster after Down.
func (c *Cluster) Up() error {
	return c.run("pg_ctl", "-D", c.data(), "-l", filepath.Join(c.dir, "log"), "-w", "-o", "-k "+c.dir+" "+settings+" -c listen_addresses="+c.listen, "start")
}

// Down stops the cluster, and cuts what goes on in it. What was committed is
// there after Up.
func (c *Cluster) Down() error { return c.run("pg_ctl", "-D", c.data(), "-m", "fast", "-w", "stop") }

// run runs one of PostgreSQL's programs. Its output goes to a file: what it
// leaves running would keep a pipe open.
func (c *Cluster) run(program string, args ...string) error {
	out, err := os.OpenFile(filepath.Join(c.dir, program+".out"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.as}
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w\n%s", program, err, bytes.TrimSpace(said))
	}
	return nil
}

func (c *Cluster) close() {
	if c.alive != nil {
		_ = c.alive.Close()
		_ = c.watcher.Wait()
	}
}

// programs finds the folder of the newest PostgreSQL's programs. Debian does not
// put it into PATH.
func programs() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL's programs are not installed: run scripts/prepare, or install postgresql with your system's packages")
	}
	return filepath.Dir(slices.MaxFunc(found, byVersion)), nil
}

// byVersion compares …/<version>/bin/initdb.
func byVersion(a, b string) int { return version(a) - version(b) }

func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// Log is what the cluster has said.
func (c *Cluster) Log(t testing.TB) string {
	t.Helper()
	said, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}
