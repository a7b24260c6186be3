package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/slipwayhq/slipway/client"
)

// script answers requests in memory, so that it works on a fake clock: the
// answers to a method and path come one after another, the last one for ever.
type script struct {
	t       *testing.T
	mu      sync.Mutex
	answers map[string][]answer
	asked   []string // method, path and query, then the body
}

type answer struct {
	status int
	body   string
	err    error
	kind   string // content type
	open   bool   // the body does not end
}

func ok(body string, args ...any) answer {
	return answer{status: http.StatusOK, body: fmt.Sprintf(body, args...)}
}

func newScript(t *testing.T, answers map[string][]answer) (*script, *client.Client) {
	s := &script{t: t, answers: answers}
	return s, client.New("http://slipway.test/", "key", client.WithHTTPClient(&http.Client{Transport: s}))
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body := ""
	if r.Body != nil {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(raw)
	}
	name := r.Method + " " + r.URL.Path
	if strings.HasSuffix(name, "/events") && s.answers[name] == nil { // a server without them
		return respond(r, answer{status: http.StatusNotFound, body: `{"detail":"Not Found"}`}), nil
	}
	s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI()+" "+body)
	queue := s.answers[name]
	if len(queue) == 0 {
		s.t.Errorf("unexpected request: %s", name)
		return nil, fmt.Errorf("unexpected request: %s", name)
	}
	a := queue[0]
	if len(queue) > 1 {
		s.answers[name] = queue[1:]
	}
	if a.err != nil {
		return nil, a.err
	}
	return respond(r, a), nil
}

func respond(r *http.Request, a answer) *http.Response {
	w := httptest.NewRecorder()
	if a.kind != "" {
		w.Header().Set("Content-Type", a.kind)
	}
	w.WriteHeader(a.status)
	_, _ = w.WriteString(a.body)
	resp := w.Result()
	resp.Request = r
	if a.open {
		resp.Body = &openBody{resp.Body, r.Context()}
	}
	return resp
}

// openBody goes on after what it holds, without a word.
type openBody struct {
	io.ReadCloser
	ctx context.Context
}

func (b *openBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		<-b.ctx.Done()
		err = b.ctx.Err()
	}
	return n, err
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
