package meter

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/address"
)

// maxAnswer bounds what a server may say of itself, in bytes.
const maxAnswer = 1 << 20

// askServer asks an Agent Server for its own count of runs (contract §8). What
// answers otherwise than the vendor's server is ErrUntold.
func (m *Meter) askServer(ctx context.Context, at string) (slipway.Runs, error) {
	r, err := address.NewRequest(ctx, http.MethodGet, at, "/metrics?format=json", nil)
	if err != nil {
		return slipway.Runs{}, fmt.Errorf("ask for runs: %w", err)
	}
	answer, err := m.agents.Do(r)
	if err != nil {
		return slipway.Runs{}, fmt.Errorf("ask for runs: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusInternalServerError {
		return slipway.Runs{}, fmt.Errorf("ask for runs: status %d", answer.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return slipway.Runs{}, fmt.Errorf("ask for runs: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return slipway.Runs{}, slipway.ErrUntold
	}
	return runsIn(raw)
}

// runsIn reads the JSON that langgraph-api 0.16 gives. The same server may leave
// out the workers, but not the queue. That it counts in its database: where there
// are several servers, in the one that they share.
func runsIn(raw []byte) (slipway.Runs, error) {
	var said struct {
		Queue *struct {
			Pending *int     `json:"n_pending"`
			Running *int     `json:"n_running"`
			Oldest  *float64 `json:"pending_runs_wait_time_max_secs"`
		} `json:"queue"`
		Workers struct {
			Max int `json:"max"`
		} `json:"workers"`
	}
	err := json.Unmarshal(raw, &said)
	if q := said.Queue; err != nil || q == nil || q.Pending == nil || q.Running == nil {
		return slipway.Runs{}, slipway.ErrUntold
	}
	r := slipway.Runs{Pending: max(0, *said.Queue.Pending), Running: max(0, *said.Queue.Running), Workers: max(0, said.Workers.Max), Whole: true}
	if said.Queue.Oldest != nil {
		r.Oldest = time.Duration(*said.Queue.Oldest * float64(time.Second))
	}
	return r, nil
}
