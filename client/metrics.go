package client

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
)

// Span selects measurements. Zero fields have the server's defaults: the last
// hour, in steps that suit a chart.
type Span struct {
	Start, End time.Time
	Step       time.Duration // whole seconds
}

func (s Span) query() url.Values {
	q := url.Values{}
	if !s.Start.IsZero() {
		q.Set("start", wire.NewTime(s.Start).String())
	}
	if !s.End.IsZero() {
		q.Set("end", wire.NewTime(s.End).String())
	}
	if s.Step != 0 {
		q.Set("step", strconv.Itoa(int(s.Step/time.Second)))
	}
	return q
}

// Metrics returns what was measured of a deployment.
func (c *Client) Metrics(ctx context.Context, id string, s Span) (wire.DeploymentMetrics, error) {
	var out wire.DeploymentMetrics
	err := c.get(ctx, deploymentPath(id)+"/metrics", s.query(), &out)
	return out, err
}
