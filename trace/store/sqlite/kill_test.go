package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/sqlite"
)

// childFolder names the folder in which a child of this test works.
const childFolder = "SLIPWAY_TRACE_KILL_TEST"

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		fmt.Fprintln(os.Stderr, child(folder))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const (
	killWorkspace = slipway.WorkspaceID("019d0000-0000-7000-8000-000000000001")
	killProject   = slipway.ProjectID("019d0000-0000-7000-8000-000000000002")
)

// child writes until it is killed, from several goroutines and to two days, and
// says which runs were acknowledged. Each has its post and its patch in one
// request, and every fourth a blob.
func child(folder string) error {
	e, err := sqlite.Open(context.Background(), filepath.Join(folder, "traces"))
	if err != nil {
		return err
	}
	b, err := blob.OpenFolder(filepath.Join(folder, "blobs"))
	if err != nil {
		return err
	}
	s := store.New(e, b, store.Config{})
	var g errgroup.Group
	for range 8 {
		g.Go(func() error {
			for i := 0; ; i++ {
				o, err := killPost(i)
				if err != nil {
					return err
				}
				p := trace.Op{Kind: trace.Patch, Run: trace.Run{ID: o.Run.ID, Workspace: killWorkspace, End: o.Run.Start.Add(time.Second)}}
				if i%4 == 0 {
					p.Run.Outputs = trace.Inline(make([]byte, 300<<10))
				}
				errs, err := s.Write(context.Background(), []trace.Op{o, p})
				if err != nil || errs[0] != nil || errs[1] != nil {
					return fmt.Errorf("%v %w", errs, err)
				}
				fmt.Println(o.Run.ID)
			}
		})
	}
	return g.Wait()
}

func killPost(i int) (trace.Op, error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	id, err := trace.ParseID(slipway.NewID[string](now))
	start := now.Add(-time.Duration(i%2) * 24 * time.Hour)
	return trace.Op{Kind: trace.Post, Run: trace.Run{ID: id, Workspace: killWorkspace, Project: killProject, Name: "run", Start: start}}, err
}

// What was acknowledged before a kill -9 is there afterwards, with its values,
// and what is known of the project is right.
func TestKill(t *testing.T) {
	folder := t.TempDir()
	var acknowledged []string
	for round := range 3 {
		acknowledged = append(acknowledged, killed(t, folder, 100+50*round)...)
	}
	b, err := blob.OpenFolder(filepath.Join(folder, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s := store.New(open(t, filepath.Join(folder, "traces")), b, store.Config{})
	defer s.Close()
	for _, text := range acknowledged {
		id, err := trace.ParseID(text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Run(t.Context(), killWorkspace, id, trace.AllFields)
		if err != nil || r.Status() != trace.Success {
			t.Fatalf("run %s was acknowledged: %v, %v", id, err, r.Status())
		}
		if r.Outputs.Blob != "" {
			content, err := s.Open(t.Context(), r.Outputs)
			if err != nil {
				t.Fatal(err)
			}
			_ = content.Close()
		}
	}
	stats, err := s.Stats(t.Context(), []slipway.ProjectID{killProject})
	if err != nil {
		t.Fatal(err)
	}
	n := count(t, s)
	if is := stats[killProject]; is.Runs != n || is.Pending != 0 || n < len(acknowledged) {
		t.Errorf("%d were acknowledged, %d are there, %d counted of which %d have not ended", len(acknowledged), n, is.Runs, is.Pending)
	}
	t.Log(len(acknowledged), "acknowledged,", n, "stored")
}

// count goes through the project.
func count(t *testing.T, s *store.Store) (n int) {
	q := trace.Query{Workspace: killWorkspace, Projects: []slipway.ProjectID{killProject}, Limit: trace.MaxLimit}
	for {
		page, err := s.Query(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if n += len(page.Runs); page.Next.IsZero() {
			return n
		}
		q.After = page.Next
	}
}

// killed runs a child and kills it after some acknowledgements. It returns all
// that the child said.
func killed(t *testing.T, folder string, after int) (ids []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+folder)
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
