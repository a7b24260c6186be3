package postgrestest_test

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/postgrestest"
)

// child has a run of this test's binary start a cluster and wait for its end.
const child = "SLIPWAY_POSTGRESTEST_CHILD"

func TestChild(t *testing.T) {
	if os.Getenv(child) == "" {
		return
	}
	u, err := url.Parse(postgrestest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(u.Query().Get("host"))
	select {}
}

// Of a test that is killed nothing is left.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a PostgreSQL")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the child said nothing: %v", lines.Err())
	}
	dir := lines.Text()
	gone := removal(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	gone()
}

// removal returns a function that waits until a folder is removed.
func removal(t *testing.T, dir string) func() {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_DELETE_SELF); err != nil {
		t.Fatal(err)
	}
	return func() {
		buf := make([]byte, 4096)
		if _, err := unix.Read(fd, buf); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}

// A database that was used before is empty for the next test.
func TestDatabasesAreEmpty(t *testing.T) {
	for range 3 {
		t.Run("one", func(t *testing.T) {
			s := postgrestest.Open(t)
			err := s.Update(t.Context(), func(tx slipway.Tx) error {
				if list, err := tx.ListWorkspaces(); err != nil || len(list) > 0 {
					t.Errorf("%v, %v", list, err)
				}
				return tx.InsertWorkspace(slipway.Workspace{ID: "w"})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
