package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/address"
)

const (
	// maxMetrics bounds what a server may say of itself, in bytes.
	maxMetrics = 1 << 20
	// metricsPatience is how long that may take.
	metricsPatience = 10 * time.Second
)

// servers are asked directly: what they tell of themselves is not for the gateway's
// callers.
var servers = address.NewClient()

// toldByServer asks the server in a container that has no other way to be asked for
// its own count of runs (contract §8). One that answers otherwise than the vendor's
// is asked once.
func (in *instance) toldByServer(ctx context.Context, l *look) (slipway.Runs, error) {
	in.mu.Lock()
	mute := in.mute == l.id
	in.mu.Unlock()
	if mute {
		return slipway.Runs{}, slipway.ErrUntold
	}
	r, err := askServer(ctx, l.address())
	if errors.Is(err, slipway.ErrUntold) {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.mute = l.id
	}
	return r, err
}

// askServer asks the server at an address. What answers otherwise than the vendor's
// is ErrUntold.
func askServer(ctx context.Context, at string) (slipway.Runs, error) {
	ctx, cancel := context.WithTimeout(ctx, metricsPatience)
	defer cancel()
	r, err := address.NewRequest(ctx, http.MethodGet, at, "/metrics?format=json", nil)
	if err != nil {
		return slipway.Runs{}, fmt.Errorf("ask for runs: %w", err)
	}
	answer, err := servers.Do(r)
	if err != nil {
		return slipway.Runs{}, fmt.Errorf("ask for runs: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusInternalServerError {
		return slipway.Runs{}, fmt.Errorf("ask for runs: status %d", answer.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxMetrics))
	if err != nil {
		return slipway.Runs{}, fmt.Errorf("ask for runs: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return slipway.Runs{}, slipway.ErrUntold
	}
	return runsIn(raw)
}

// longestWait bounds for how long a run can be said to have waited: more than that
// is no number of seconds.
const longestWait = 100 * 365 * 24 * time.Hour

// runsIn reads the JSON that langgraph-api 0.16 gives. The same server may leave
// out the workers, and how long the oldest has waited, but not the queue. That it
// counts in its database: where there are several servers, in the one that they
// share.
func runsIn(raw []byte) (slipway.Runs, error) {
	var said struct {
		Queue *struct {
			Pending *int    `json:"n_pending"`
			Running *int    `json:"n_running"`
			Oldest  float64 `json:"pending_runs_wait_time_max_secs"`
		} `json:"queue"`
		Workers struct {
			Max int `json:"max"`
		} `json:"workers"`
	}
	err := json.Unmarshal(raw, &said)
	q := said.Queue
	if err != nil || q == nil || q.Pending == nil || q.Running == nil {
		return slipway.Runs{}, slipway.ErrUntold
	}
	return slipway.Runs{
		Pending: max(0, *q.Pending), Running: max(0, *q.Running), Workers: max(0, said.Workers.Max), Whole: true,
		Oldest: time.Duration(min(max(0, q.Oldest), longestWait.Seconds()) * float64(time.Second)),
	}, nil
}
