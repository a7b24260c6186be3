package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"github.com/slipwayhq/slipway/examples"
)

const (
	handovers = 5
	// handoverClients start one run after the other while state is handed over.
	handoverClients = 4
	// handoverLimit is for 1 MB of state.
	handoverLimit = 200 * time.Millisecond
)

// handover measures how long nobody answers while the JavaScript server's state
// goes from one revision to the next, by how much state there is.
func handover(ctx context.Context, l *lab) ([]row, error) {
	data, err := l.folder("data")
	if err != nil {
		return nil, err
	}
	s, _, err := l.slipwayServer(ctx, data)
	if err != nil {
		return nil, err
	}
	defer s.end()
	var rows []row
	for _, megabytes := range []int{1, 10, 100} {
		some, err := l.handOver(ctx, s, megabytes)
		rows = append(rows, some...)
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

func (l *lab) handOver(ctx context.Context, s *server, megabytes int) ([]row, error) {
	app, err := numbered(0)
	if err != nil {
		return nil, err
	}
	d, err := s.create(ctx, fmt.Sprintf("state-%d", megabytes), app)
	if err != nil {
		return nil, err
	}
	l.say("  deploying with %d MB of state", megabytes)
	if _, err := d.deploy(ctx, lookReal); err != nil {
		return nil, err
	}
	if err := d.fill(ctx, megabytes); err != nil {
		return nil, err
	}
	var gaps, holds samples
	for n := range l.times(handovers) {
		l.say("  hand-over %d", n+1)
		if app, err = numbered(n + 1); err != nil {
			return nil, err
		}
		if d.tarball, err = d.upload(ctx, app); err != nil {
			return nil, err
		}
		runs := d.follow(ctx)
		_, err := d.deploy(ctx, lookReal)
		gap, longest, errRuns := runs.end(n + 1)
		if err != nil {
			return nil, err
		}
		if errRuns != nil {
			return nil, errRuns
		}
		gaps, holds = append(gaps, gap), append(holds, longest)
	}
	size := fmt.Sprintf("%d MB of state, %d clients", megabytes, handoverClients)
	first := spread("hand-over, "+size+": last answer of the old to first of the new", gaps)
	if megabytes == 1 {
		first = first.with(atMost(gaps.median(), handoverLimit, millis(handoverLimit)))
	}
	return []row{first, spread("hand-over, "+size+": the longest run", holds)}, d.remove(ctx)
}

// numbered is the example, whose answers tell the number of its revision.
func numbered(n int) (source, error) {
	files := fstest.MapFS{}
	example := examples.EchoJS()
	err := fs.WalkDir(example, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(example, name)
		if name == "langgraph.json" {
			text = bytes.Replace(text, []byte(`"echo"`+"\n"), fmt.Appendf(nil, "\"r%d\"\n", n), 1)
		}
		files[name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		return nil, err
	}
	return pack(files)
}

// fill gives the state threads of a megabyte each.
func (d *deployment) fill(ctx context.Context, megabytes int) error {
	for range megabytes {
		status, body, err := d.postTo(ctx, "/threads", map[string]any{"metadata": map[string]string{"bulk": strings.Repeat("x", 1<<20)}}, io.Discard)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("make a thread: %d %.200s %w", status, body, err)
		}
	}
	return nil
}

// postTo posts to the agent, and returns status and body. What is answered goes
// to said as it comes.
func (d *deployment) postTo(ctx context.Context, path string, body any, said io.Writer) (int, string, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+"/d/"+d.name+path, bytes.NewReader(raw))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("X-Api-Key", d.key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := transport.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.TeeReader(answer.Body, said))
	return answer.StatusCode, string(text), err
}

// answered is one run: which revision answered, when, and how long after the
// request.
type answered struct {
	revision string
	at       time.Time
	took     time.Duration
}

// following is clients that start runs one after the other.
type following struct {
	stop context.CancelFunc
	all  sync.WaitGroup

	mu   sync.Mutex
	runs []answered
	err  error
}

func (d *deployment) follow(ctx context.Context) *following {
	going, stop := context.WithCancel(ctx)
	f := &following{stop: stop}
	for range handoverClients {
		f.all.Go(func() {
			for going.Err() == nil {
				f.add(d.runOnce(ctx))
			}
		})
	}
	return f
}

var answersOf = regexp.MustCompile(`(r\d+): hi`)

// firstWord notes when a revision's answer is there: its stream may end later.
type firstWord struct {
	text []byte
	answered
}

func (w *firstWord) Write(p []byte) (int, error) {
	w.text = append(w.text, p...)
	if found := answersOf.FindSubmatch(w.text); found != nil && w.revision == "" {
		w.revision, w.at = string(found[1]), time.Now()
	}
	return len(p), nil
}

func (d *deployment) runOnce(ctx context.Context) (answered, error) {
	began := time.Now()
	var word firstWord
	status, body, err := d.postTo(ctx, "/runs/stream", map[string]any{
		"assistant_id": "echo", "stream_mode": "values",
		"input": map[string]any{"messages": []map[string]string{{"role": "user", "content": "hi"}}},
	}, &word)
	word.took = word.at.Sub(began)
	if err == nil && (status != http.StatusOK || word.revision == "") {
		err = fmt.Errorf("a run: %d %.200s", status, body)
	}
	return word.answered, err
}

func (f *following) add(a answered, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.err = err
		f.stop()
		return
	}
	f.runs = append(f.runs, a)
}

// end returns the time between the last answer of the revision before the n-th
// and the first of that, and the longest that a run took.
func (f *following) end(n int) (gap, longest time.Duration, err error) {
	f.stop()
	f.all.Wait()
	if f.err != nil {
		return 0, 0, f.err
	}
	var last, first time.Time
	for _, a := range f.runs {
		longest = max(longest, a.took)
		switch {
		case a.revision == fmt.Sprint("r", n-1) && a.at.After(last):
			last = a.at
		case a.revision == fmt.Sprint("r", n) && (first.IsZero() || a.at.Before(first)):
			first = a.at
		}
	}
	if last.IsZero() || first.IsZero() {
		return 0, 0, fmt.Errorf("of %d runs, none was answered by revision %d or the one before it", len(f.runs), n)
	}
	return first.Sub(last), longest, nil
}
