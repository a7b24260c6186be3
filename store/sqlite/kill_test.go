package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/sqlite"
)

// childPath names the file on which a child of this test works.
const childPath = "SLIPWAY_STORE_KILL_TEST"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		fmt.Fprintln(os.Stderr, child(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child writes until it is killed, from several goroutines, and says what was
// acknowledged. A function writes two rows.
func child(path string) error {
	s, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return err
	}
	var g errgroup.Group
	var out sync.Mutex
	for c := range 8 {
		g.Go(func() error {
			for i := 0; ; i++ {
				err := s.Update(context.Background(), func(tx slipway.Tx) error {
					for _, half := range []string{"a", "b"} {
						if err := insert(fmt.Sprintf("%s-%d-%d-%d", half, os.Getpid(), c, i))(tx); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					return err
				}
				out.Lock()
				fmt.Printf("%d-%d-%d\n", os.Getpid(), c, i)
				out.Unlock()
			}
		})
	}
	return g.Wait()
}

// What was acknowledged before a kill -9 is there afterwards, and nothing is
// there by half.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slipway.db")
	acknowledged := map[string]bool{}
	for round := range 3 {
		for _, id := range killed(t, path, 150+100*round) {
			acknowledged[id] = true
		}
	}
	s := open(t, path)
	halves := map[string]int{}
	for _, id := range stored(t, s) {
		halves[strings.TrimLeft(id, "ab-")]++
	}
	for id := range acknowledged {
		if halves[id] != 2 {
			t.Errorf("%s was acknowledged and has %d rows", id, halves[id])
		}
	}
	for id, n := range halves {
		if n != 2 {
			t.Errorf("%s is there by half", id)
		}
	}
	update(t, s, insert("after"))
	t.Log(strconv.Itoa(len(acknowledged)), "acknowledged,", len(halves), "stored")
}

// killed runs a child and kills it after some acknowledgements. It returns all
// that the child said.
func killed(t *testing.T, path string, after int) (ids []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childPath+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		ids = append(ids, lines.Text())
		if len(ids) == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(ids) < after {
		t.Fatalf("the child ended by itself after %d: %v", len(ids), err)
	}
	return ids
}
