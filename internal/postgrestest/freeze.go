package postgrestest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Freeze has all processes of the cluster stand still where they are: what is
// connected stays so, and nothing is answered. The end of the test has them go on.
func (c *Cluster) Freeze(t testing.TB) {
	t.Helper()
	lock, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(lock), "\n")
	postmaster, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	frozen := []int{postmaster}
	t.Cleanup(func() {
		for _, pid := range frozen {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	})
	if err := syscall.Kill(postmaster, syscall.SIGSTOP); err != nil { // first: it makes no more then
		t.Fatal(err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", postmaster, postmaster))
	if err != nil {
		t.Fatal(err)
	}
	for pid := range strings.FieldsSeq(string(children)) {
		n, _ := strconv.Atoi(pid)
		frozen = append(frozen, n)
		_ = syscall.Kill(n, syscall.SIGSTOP) // which may have ended
	}
}
