package vitals

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/address"
)

// metricsLimit is how much of an answer is read: a server's own metrics grow
// with its paths.
const metricsLimit = 4 << 20

// metrics asks agent servers directly: what they tell of themselves is not for
// the gateway's callers.
var metrics = address.NewClient()

// scrape asks the server at an address for its runs (contract §8), in the form
// whose names the contract gives. slipway.ErrUntold if it does not tell how many
// wait, how many run and how long the oldest has waited.
func scrape(ctx context.Context, at string) (slipway.Runs, error) {
	req, err := address.NewRequest(ctx, http.MethodGet, at, "/metrics?format=prometheus", nil)
	if err != nil {
		return slipway.Runs{}, fmt.Errorf("ask for metrics: %w", err)
	}
	answer, err := metrics.Do(req)
	if err != nil {
		return slipway.Runs{}, fmt.Errorf("ask for metrics: %w", err)
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode >= http.StatusInternalServerError:
		return slipway.Runs{}, fmt.Errorf("ask for metrics: status %d", answer.StatusCode)
	case answer.StatusCode != http.StatusOK:
		return slipway.Runs{}, slipway.ErrUntold
	}
	return readRuns(io.LimitReader(answer.Body, metricsLimit))
}

// readRuns reads gauges in Prometheus' text format.
func readRuns(r io.Reader) (slipway.Runs, error) {
	var runs slipway.Runs
	told := map[string]bool{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, ok := gauge(lines.Text())
		if !ok {
			continue
		}
		told[name] = true
		switch name {
		case "lg_api_num_pending_runs":
			runs.Pending = int(value)
		case "lg_api_num_running_runs":
			runs.Running = int(value)
		case "lg_api_pending_runs_wait_time_max":
			runs.Oldest = time.Duration(value * float64(time.Second))
		case "lg_api_workers_max":
			runs.Workers = int(value)
		}
	}
	if err := lines.Err(); err != nil {
		return slipway.Runs{}, fmt.Errorf("read metrics: %w", err)
	}
	for _, name := range []string{"lg_api_num_pending_runs", "lg_api_num_running_runs", "lg_api_pending_runs_wait_time_max"} {
		if !told[name] {
			return slipway.Runs{}, slipway.ErrUntold
		}
	}
	return runs, nil
}

// gauge reads a line such as `name{label="value"} 12.5`. Only what is a number of
// something counts.
func gauge(line string) (name string, value float64, ok bool) {
	line = strings.TrimSpace(line)
	space := strings.LastIndexByte(line, ' ')
	if space < 0 || line[0] == '#' {
		return "", 0, false
	}
	name, _, _ = strings.Cut(strings.TrimSpace(line[:space]), "{")
	value, err := strconv.ParseFloat(line[space+1:], 64)
	return name, value, err == nil && value >= 0 && value < 1e9
}
