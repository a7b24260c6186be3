package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// TracingProject is where runs go, and what is known of those that are kept.
type TracingProject struct {
	ID               string   `json:"id"`
	Name             string   `json:"name"`
	Description      *string  `json:"description"`
	RunCount         int      `json:"run_count"`
	RootCount        int      `json:"slipway_root_run_count"`
	LatencyP50       *float64 `json:"latency_p50"` // seconds, of root runs
	LatencyP99       *float64 `json:"latency_p99"`
	ErrorRate        *float64 `json:"error_rate"` // of root runs
	LastRunStartTime *string  `json:"last_run_start_time"`
	TotalTokens      int64    `json:"total_tokens"` // that models have used
}

// Run is one step of what an agent did. Times are in UTC.
type Run struct {
	ID          string          `json:"id"`
	TraceID     string          `json:"trace_id"`
	DottedOrder string          `json:"dotted_order"`
	Name        string          `json:"name"`
	RunType     string          `json:"run_type"`
	Status      string          `json:"status"`
	StartTime   string          `json:"start_time"`
	EndTime     *string         `json:"end_time"`
	Error       *string         `json:"error"`
	Tags        []string        `json:"tags"`
	TotalTokens *int64          `json:"total_tokens"` // of a root: that models of the trace have used
	Inputs      json.RawMessage `json:"inputs,omitempty"`
	Outputs     json.RawMessage `json:"outputs,omitempty"`
}

// Depth is how deep the run lies below the root of its trace.
func (r Run) Depth() int { return strings.Count(r.DottedOrder, ".") }

// Latency is how long the run took, false while it runs.
func (r Run) Latency() (time.Duration, bool) {
	const layout = "2006-01-02T15:04:05.999999"
	if r.EndTime == nil {
		return 0, false
	}
	start, err := time.Parse(layout, r.StartTime)
	end, err2 := time.Parse(layout, *r.EndTime)
	return max(0, end.Sub(start)), err == nil && err2 == nil
}

// RunQuery selects runs, newest first. Zero fields select all; a project or a
// trace must be given.
type RunQuery struct {
	Project      string // id
	Trace        string // id; all of its runs
	Roots        bool   // only the first of each trace
	Since, Until time.Time
	Filter       string // in the filter language of LangSmith
	Limit        int    // 0 for all
	Payload      bool   // inputs and outputs too
}

// tracingPath is where the tracing part of a server is.
const tracingPath = "/api/v1"

// TracingProjects returns the tracing projects whose name contains a text.
func (c *Client) TracingProjects(ctx context.Context, contains string) ([]TracingProject, error) {
	const page = 100
	all := []TracingProject{}
	for {
		var found []TracingProject
		q := url.Values{"limit": {strconv.Itoa(page)}, "offset": {strconv.Itoa(len(all))}}
		if contains != "" {
			q.Set("name_contains", contains)
		}
		if err := c.get(ctx, tracingPath+"/sessions", q, &found); err != nil {
			return nil, err
		}
		if all = append(all, found...); len(found) < page {
			return all, nil
		}
	}
}

// TracingProject returns the tracing project of a name, false if there is none.
func (c *Client) TracingProject(ctx context.Context, name string) (p TracingProject, ok bool, err error) {
	var found []TracingProject
	err = c.get(ctx, tracingPath+"/sessions", url.Values{"name": {name}}, &found)
	if err != nil || len(found) == 0 {
		return p, false, err
	}
	return found[0], true, nil
}

// Runs returns runs.
func (c *Client) Runs(ctx context.Context, q RunQuery) ([]Run, error) {
	ask := q.body()
	runs := []Run{}
	for {
		var page struct {
			Runs    []Run
			Cursors struct{ Next string }
		}
		if err := c.do(ctx, call{method: http.MethodPost, path: tracingPath + "/runs/query", in: ask, out: &page, safe: true}); err != nil {
			return nil, err
		}
		runs = append(runs, page.Runs...)
		if q.Limit > 0 && len(runs) >= q.Limit {
			return runs[:q.Limit], nil
		}
		if page.Cursors.Next == "" {
			return runs, nil
		}
		ask["cursor"] = page.Cursors.Next
	}
}

func (q RunQuery) body() map[string]any {
	selected := []string{"trace_id", "dotted_order", "status", "end_time", "error", "tags", "total_tokens"}
	if q.Payload {
		selected = append(selected, "inputs", "outputs")
	}
	ask := map[string]any{"select": selected}
	if q.Project != "" {
		ask["session"] = []string{q.Project}
	}
	if q.Roots {
		ask["is_root"] = true
	}
	if q.Limit > 0 {
		ask["limit"] = q.Limit
	}
	for name, text := range map[string]string{"trace": q.Trace, "filter": q.Filter, "start_time": stamp(q.Since), "end_time": stamp(q.Until)} {
		if text != "" {
			ask[name] = text
		}
	}
	return ask
}

func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}
