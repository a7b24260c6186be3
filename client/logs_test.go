package client_test

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// logPage holds the lines of those numbers, and points past the last.
func logPage(next int, numbers ...int) answer {
	lines := make([]string, len(numbers))
	for i, n := range numbers {
		lines[i] = fmt.Sprintf(`{"id":"i:%d","timestamp":"2026-01-02T03:04:%02d.000000Z","level":"INFO","message":"line %d"}`, n, n, n)
	}
	return ok(`{"logs":[%s],"next_offset":"%d"}`, strings.Join(lines, ","), next)
}

func messages(t *testing.T, lines iter.Seq2[wire.LogLine, error]) []string {
	t.Helper()
	var out []string
	for line, err := range lines {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, line.Message)
	}
	return out
}

func TestBuildLogs(t *testing.T) {
	const path = "/v1/projects/d/revisions/r/build_logs"
	tests := []struct {
		name     string
		options  client.LogOptions
		pages    []answer
		statuses []answer
		want     []string
		asked    string // by the last request for lines
	}{
		{"all", client.LogOptions{}, []answer{logPage(2, 1, 2), logPage(3, 3), logPage(3)}, nil, []string{"line 1", "line 2", "line 3"}, `"limit":1000,"offset":"3","order":"asc"`},
		{"chosen", client.LogOptions{Level: "ERROR", Contains: "x", Since: time.Unix(0, 0)}, []answer{logPage(0)}, nil, nil, `{"level":"ERROR","limit":1000,"order":"asc","query":"x","start_time":"1970-01-01T00:00:00.000000Z"}`},
		{"the last two", client.LogOptions{Tail: 2}, []answer{logPage(8, 9, 8)}, nil, []string{"line 8", "line 9"}, `{"limit":2,"order":"desc"}`},
		{
			"followed until the build is over, and once more",
			client.LogOptions{Follow: true},
			[]answer{logPage(1, 1), logPage(1), logPage(2, 2), logPage(2), logPage(3, 3), logPage(3)},
			[]answer{revision("BUILDING"), revision("BUILDING", "AWAITING_DEPLOY")},
			[]string{"line 1", "line 2", "line 3"},
			`"offset":"3"`,
		},
		{
			"the last one and what follows",
			client.LogOptions{Tail: 1, Follow: true},
			[]answer{logPage(7, 7), logPage(8, 7, 8), logPage(8)},
			[]answer{revision("DEPLOYED")},
			[]string{"line 7", "line 8"},
			`"start_time":"2026-01-02T03:04:07.000000Z"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := newScript(t, map[string][]answer{"POST " + path: tt.pages, "GET /v2/deployments/d/revisions/r": tt.statuses})
				got := messages(t, c.BuildLogs(t.Context(), "d", "r", tt.options))
				if !slices.Equal(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				if last := s.asked[len(s.asked)-1]; !strings.HasPrefix(last, "POST "+path) || !strings.Contains(last, tt.asked) {
					t.Errorf("asked at last %s\nwant %s", last, tt.asked)
				}
			})
		})
	}
}

// The caller may leave a log that is followed at any line.
func TestDeployLogsLeft(t *testing.T) {
	_, c := newScript(t, map[string][]answer{"POST /v1/projects/d/deploy_logs": {logPage(2, 1, 2)}})
	for line, err := range c.DeployLogs(t.Context(), "d", "", client.LogOptions{Follow: true}) {
		if err != nil || line.Message != "line 1" {
			t.Fatalf("got %v, %v", line, err)
		}
		break
	}
}

func TestDeployLogsRefused(t *testing.T) {
	const path = "POST /v1/projects/d/revisions/r/deploy_logs"
	for _, o := range []client.LogOptions{{}, {Tail: 3}, {Follow: true}, {Tail: 3, Follow: true}} {
		_, c := newScript(t, map[string][]answer{path: {{status: 404, body: `{"detail":"not found"}`}}})
		var errs []error
		for _, err := range c.DeployLogs(t.Context(), "d", "r", o) {
			errs = append(errs, err)
		}
		if len(errs) != 1 || !client.IsNotFound(errs[0]) {
			t.Errorf("%+v: got %v", o, errs)
		}
	}
}
