package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/tracetest"
)

// sdkTraces are sent by the vendor's client, four runs each.
const sdkTraces = 2500

// tracesHTTP measures how fast runs are taken in through a server's door, by forms
// as SDKs send them and by the vendor's own client; beside bare inserts of the
// same bytes.
func tracesHTTP(ctx context.Context, l *lab) ([]row, error) {
	python, err := l.openTracer(ctx)
	if err != nil {
		return nil, err
	}
	var share, ours, bare, sdk numbers
	for n := range l.times(traceIntakes) {
		l.say("  intake %d", n+1)
		begin := time.Now().UTC()
		ops := tracetest.NewTraffic(uint64(n), begin).Stream(begin, traceEach/runsPerTrace)
		took, err := inTurn(1,
			func() (time.Duration, error) { return l.sendTraces(ctx, ops) },
			func() (time.Duration, error) { return l.insertBare(ctx, ops) },
			func() (time.Duration, error) { return l.traceBySDK(ctx, python) },
		)
		if err != nil {
			return nil, err
		}
		ours, bare = append(ours, traceEach/took[0].median().Seconds()), append(bare, traceEach/took[1].median().Seconds())
		share, sdk = append(share, ours[n]/bare[n]), append(sdk, sdkTraces*runsPerTrace/took[2].median().Seconds())
	}
	return []row{
		factors("runs taken in by /runs/multipart, durable, as a share of bare inserts", share).with(atLeast(share.median(), traceShare, times(traceShare))),
		rates("runs taken in by /runs/multipart: a post and a patch each, 16 connections", ours),
		rates("SQLite inserts of the same bytes, a transaction a batch", bare),
		rates("runs traced by one Python process with the vendor's client, until all are taken in", sdk),
	}, nil
}

// withServer runs a server for a while, one that can be profiled if that is
// wanted.
func (l *lab) withServer(ctx context.Context, do func(*server) (time.Duration, error)) (time.Duration, error) {
	s, err := l.apiServer(ctx)
	if err != nil {
		return 0, err
	}
	defer s.end()
	return do(s)
}

// sendTraces sends operations in forms, which are made before.
func (l *lab) sendTraces(ctx context.Context, ops []trace.Op) (time.Duration, error) {
	forms := map[*trace.Op][]byte{} // by the first operation of a batch
	for rest := ops; len(rest) > 0; rest = rest[min(traceBatch, len(rest)):] {
		form, err := formOf(rest[:min(traceBatch, len(rest))])
		if err != nil {
			return 0, err
		}
		forms[&rest[0]] = form
	}
	return l.withServer(ctx, func(s *server) (time.Duration, error) {
		return byBatches(ops, func(batch []trace.Op) error { return s.sendForm(ctx, forms[&batch[0]]) })
	})
}

const boundary = "slipway-bench"

func formOf(ops []trace.Op) ([]byte, error) {
	kinds := map[trace.Kind]string{trace.Post: "post", trace.Patch: "patch"}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary(boundary); err != nil {
		return nil, err
	}
	for _, o := range ops {
		name := kinds[o.Kind] + "." + o.Run.ID.String()
		for _, p := range []struct {
			name string
			body []byte
		}{{name, bodyOf(o)}, {name + ".inputs", o.Run.Inputs.Inline}, {name + ".outputs", o.Run.Outputs.Inline}, {name + ".extra", o.Run.Extra.Inline}} {
			if len(p.body) == 0 {
				continue
			}
			to, err := w.CreatePart(textproto.MIMEHeader{
				"Content-Disposition": {`form-data; name="` + p.name + `"`}, "Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(p.body))},
			})
			if err == nil {
				_, err = to.Write(p.body)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

func bodyOf(o trace.Op) []byte {
	body := map[string]any{"id": o.Run.ID.String(), "trace_id": o.Run.Trace.String(), "dotted_order": o.Run.Order, "session_name": "bench"}
	if o.Kind == trace.Post {
		body["name"], body["run_type"], body["start_time"] = o.Run.Name, o.Run.Type, o.Run.Start
	} else {
		body["end_time"] = o.Run.End
	}
	if !o.Run.Root() {
		body["parent_run_id"] = o.Run.Parent.String()
	}
	text, _ := json.Marshal(body) // plain data: it can not fail
	return text
}

func (s *server) sendForm(ctx context.Context, form []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/runs/multipart", bytes.NewReader(form))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	r.Header.Set("X-Api-Key", s.key)
	answer, err := transport.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("multipart: %d %s", answer.StatusCode, text)
	}
	return err
}

// openTracer installs the vendor's client, as the end-to-end tests pin it, and
// returns the Python that has it.
func (l *lab) openTracer(ctx context.Context) (string, error) {
	venv, err := l.folder("tracer")
	if err != nil {
		return "", err
	}
	python := filepath.Join(venv, "bin", "python")
	for _, args := range [][]string{
		{"python3", "-m", "venv", venv},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "-r", "../e2e/langsmith/requirements.txt"},
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("install the vendor's tracing client: %w\n%s", err, out)
		}
	}
	return python, nil
}

// traceBySDK has the vendor's client trace, and returns how long that took by its
// own clock.
func (l *lab) traceBySDK(ctx context.Context, python string) (time.Duration, error) {
	return l.withServer(ctx, func(s *server) (time.Duration, error) {
		run := exec.CommandContext(ctx, python, "trace.py", strconv.Itoa(sdkTraces))
		run.Env = append(os.Environ(), "LANGSMITH_TRACING=true", "LANGSMITH_ENDPOINT="+s.url+"/api/v1", "LANGSMITH_API_KEY="+s.key, "LANGSMITH_PROJECT=bench", "NO_PROXY=127.0.0.1")
		out, err := run.Output()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("the vendor's client: %w\n%s", err, exit.Stderr)
		}
		if err != nil {
			return 0, err
		}
		seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		return time.Duration(seconds * float64(time.Second)), err
	})
}
