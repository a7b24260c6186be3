package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/slipwayhq/slipway/client"
)

func TestEvents(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"plain", "event: a\ndata: {}\nid: 1\n\n", []string{"a 1 {}"}},
		{"no space, carriage returns", "event:a\r\ndata:{}\r\n\r\n", []string{"a  {}"}},
		{"several lines of data", "data: 1\ndata:  2\n\n", []string{"message  1\n 2"}},
		{"an id stays", "id: 7\ndata: a\n\ndata: b\n\n", []string{"message 7 a", "message 7 b"}},
		{"comments and blank lines", ": hello\n\n\n:x\nevent: end\n\n", []string{"end  "}},
		{"broken off", "data: a\n\nevent: b\ndata: half", []string{"message  a"}},
		{"unknown fields", "retry: 5\nfoo\ndata\n\n", []string{"message  "}},
		{"a long line", "data: " + strings.Repeat("x", 1<<20) + "\n\n", []string{"message  " + strings.Repeat("x", 1<<20)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for e, err := range client.Events(iotest.OneByteReader(strings.NewReader(tt.in))) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%s %s %s", e.Name, e.ID, e.Data))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEventsBroken(t *testing.T) {
	broken := errors.New("broken")
	var errs []error
	for _, err := range client.Events(io.MultiReader(strings.NewReader("data: a\n\n"), iotest.ErrReader(broken))) {
		errs = append(errs, err)
	}
	if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], broken) {
		t.Errorf("got %v", errs)
	}
}

// agentServer answers a thread and a stream.
func agentServer(t *testing.T, stream string) (*client.Agent, *string) {
	asked := new(string)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /d/echo/threads", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"thread_id":"t"}`)
	})
	mux.HandleFunc("POST /d/echo/threads/t/runs/stream", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*asked = r.Header.Get("X-Api-Key") + " " + string(body)
		_, _ = io.WriteString(w, stream)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return client.NewAgent(server.URL+"/d/echo", "secret"), asked
}

func TestStream(t *testing.T) {
	agent, asked := agentServer(t, "event: metadata\ndata: {}\n\nevent: updates\ndata: {\"a\":1}\n\n")
	thread, err := agent.CreateThread(t.Context())
	if err != nil || thread != "t" {
		t.Fatal(thread, err)
	}
	var got []string
	for e, err := range agent.Stream(t.Context(), thread, client.RunRequest{Assistant: "echo", Input: map[string]int{"x": 1}, Modes: []string{"updates"}}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Name+string(e.Data))
	}
	if !slices.Equal(got, []string{"metadata{}", `updates{"a":1}`}) {
		t.Errorf("got %q", got)
	}
	if want := `secret {"assistant_id":"echo","input":{"x":1},"stream_mode":["updates"]}`; *asked != want {
		t.Errorf("asked %s, want %s", *asked, want)
	}
}

func TestStreamFails(t *testing.T) {
	tests := []struct{ name, stream, want string }{
		{"with words", "event: error\ndata: {\"error\":\"TypeError\",\"message\":\"no\"}\n\n", "the run failed: TypeError: no"},
		{"with a kind", "event: error\ndata: {\"error\":\"Cancelled\"}\n\n", "the run failed: Cancelled"},
		{"otherwise", "event: error\ndata: oh\n\n", "the run failed: oh"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			agent, _ := agentServer(t, tt.stream+"event: late\n\n")
			var errs []error
			for _, err := range agent.Stream(t.Context(), "t", client.RunRequest{}) {
				errs = append(errs, err)
			}
			if len(errs) != 1 || errs[0] == nil || errs[0].Error() != tt.want {
				t.Errorf("got %v, want %s", errs, tt.want)
			}
		})
	}
	agent, _ := agentServer(t, "")
	for _, err := range agent.Stream(t.Context(), "absent", client.RunRequest{}) {
		if !client.IsNotFound(err) {
			t.Errorf("got %v", err)
		}
	}
}
