package client_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/client"
)

func TestMetrics(t *testing.T) {
	path := "GET /v2/deployments/d/metrics"
	s, c := newScript(t, map[string][]answer{path: {ok(`{"step":60,"timestamps":[1,61],"requests":[3,null],"cpu":{"mean":[0.5,null]}}`)}})
	m, err := c.Metrics(t.Context(), "d", client.Span{})
	if err != nil || m.Step != 60 || *m.Requests[0] != 3 || m.Requests[1] != nil || *m.CPU.Mean[0] != 0.5 {
		t.Errorf("%+v, %v", m, err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if _, err := c.Metrics(t.Context(), "d", client.Span{Start: at, End: at.Add(time.Hour), Step: time.Minute}); err != nil {
		t.Error(err)
	}
	if len(s.asked) != 2 || !strings.HasPrefix(s.asked[0], path) || strings.Contains(s.asked[0], "?") ||
		!strings.Contains(s.asked[1], "end=2026-03-01T13%3A00%3A00") || !strings.Contains(s.asked[1], "start=2026-03-01T12%3A00%3A00") || !strings.Contains(s.asked[1], "step=60") {
		t.Errorf("asked %q", s.asked)
	}
}
