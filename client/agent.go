package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
)

// Agent speaks to a deployment at its url: just enough to try one. Programs use
// the SDK of the Agent Server.
type Agent struct{ endpoint }

// NewAgent returns a client of the deployment at address.
func NewAgent(address, apiKey string, opts ...Option) *Agent {
	return &Agent{newEndpoint(address, apiKey, opts)}
}

// CreateThread makes a thread and returns its id.
func (a *Agent) CreateThread(ctx context.Context) (string, error) {
	var out struct {
		ID string `json:"thread_id"`
	}
	err := a.post(ctx, "/threads", struct{}{}, &out)
	return out.ID, err
}

// RunRequest starts a run.
type RunRequest struct {
	Assistant string   `json:"assistant_id"` // or the name of a graph
	Input     any      `json:"input"`
	Modes     []string `json:"stream_mode,omitempty"` // the server's default if there are none
}

// RunError is what a run says of its failure.
type RunError struct {
	Kind    string `json:"error"`
	Message string `json:"message"`
}

func (e *RunError) Error() string {
	if e.Message == "" {
		return "the run failed: " + e.Kind
	}
	return fmt.Sprintf("the run failed: %s: %s", e.Kind, e.Message)
}

// Stream starts a run on a thread and yields its events as they come. A run
// that fails ends with a *RunError. Leaving early closes the stream.
func (a *Agent) Stream(ctx context.Context, thread string, run RunRequest) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		resp, err := a.send(ctx, call{method: http.MethodPost, path: "/threads/" + url.PathEscape(thread) + "/runs/stream", in: run})
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer resp.Body.Close()
		for event, err := range Events(resp.Body) {
			if err == nil && event.Name == "error" {
				err = runError(event.Data)
			}
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

func runError(raw json.RawMessage) error {
	e := new(RunError)
	if json.Unmarshal(raw, e) != nil || e.Kind == "" && e.Message == "" {
		e.Kind = string(raw)
	}
	return e
}
