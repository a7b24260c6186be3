package client_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/slipwayhq/slipway/client"
)

// script answers requests in memory, so that it works on a fake clock: the
// answers to a method and path come one after another, the last one for ever.
type script struct {
	t       *testing.T
	answers map[string][]answer
	asked   []string // method, path and query, then the body
}

type answer struct {
	status int
	body   string
	err    error
}

func ok(body string, args ...any) answer {
	return answer{status: http.StatusOK, body: fmt.Sprintf(body, args...)}
}

func newScript(t *testing.T, answers map[string][]answer) (*script, *client.Client) {
	s := &script{t: t, answers: answers}
	return s, client.New("http://slipway.test/", "key", client.WithHTTPClient(&http.Client{Transport: s}))
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(raw)
	}
	name := r.Method + " " + r.URL.Path
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
	w := httptest.NewRecorder()
	w.WriteHeader(a.status)
	_, _ = w.WriteString(a.body)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
