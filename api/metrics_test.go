package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

const metricsPath = "/v2/deployments/" + someID + "/metrics"

func TestMetricsAreColumns(t *testing.T) {
	c, s := serve(t)
	begin := time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)
	c.slots = []slipway.Measurement{
		slipway.Sample{
			At: begin.Add(90 * time.Second), Over: 15 * time.Second, Replicas: 2, UsageKnown: true, CPU: 0.25, Memory: 1 << 30,
			Restarts: 1, Requests: 10, Errors: 3, Latency: [13]uint64{10}, InFlight: 4, Waiting: 5, RunsKnown: true, Pending: 6, Running: 7,
			Database: &slipway.DatabaseUsage{Bytes: 8 << 20, Connections: 3}, Redis: &slipway.RedisUsage{CPU: 0.5, Memory: 9 << 20},
		}.Measurement(),
		slipway.Sample{At: begin.Add(30 * time.Minute), Over: 15 * time.Second}.Measurement(),
	}
	c.slots = slipway.Gather(c.slots, time.Minute)
	status, _, body := ask(t, s, "GET", metricsPath+"?start=2026-03-01T11:00:00Z&end=2026-03-01T12:00:00Z&step=60", "reader", "")
	var m wire.DeploymentMetrics
	if err := json.Unmarshal([]byte(body), &m); err != nil || status != 200 {
		t.Fatalf("%d %s, %v", status, body, err)
	}
	if m.Step != 60 || len(m.Timestamps) != 60 || m.Timestamps[1] != int(begin.Add(time.Minute).Unix()) {
		t.Errorf("step %d, timestamps %v", m.Step, m.Timestamps)
	}
	columns(t, reflect.ValueOf(m), "", func(name string, column reflect.Value) {
		if column.Len() != 60 {
			t.Errorf("%s has %d elements", name, column.Len())
		}
		if name != ".Timestamps" && (column.Index(1).IsNil() || !column.Index(2).IsNil()) {
			t.Errorf("%s: %v where something is known, %v where nothing is", name, column.Index(1), column.Index(2))
		}
	})
	if *m.CPU.Mean[1] != 0.25 || *m.Memory.Max[1] != 1<<30 || *m.Replicas.Min[1] != 2 || *m.Requests[1] != 10 || *m.Errors[1] != 3 ||
		*m.Restarts[1] != 1 || *m.Latency.P50[1] != 0.0025 || *m.InFlight.Mean[1] != 4 || *m.Held.Max[1] != 5 || *m.PendingRuns.Mean[1] != 6 || *m.RunningRuns.Mean[1] != 7 ||
		*m.DatabaseSize.Max[1] != 8<<20 || *m.DatabaseConnections.Mean[1] != 3 ||
		*m.RedisCPU.Mean[1] != 0.5 || *m.RedisMemory.Max[1] != 9<<20 {
		t.Errorf("measured: %s", body)
	}
	// Where only the requests are known, and were none.
	if m.CPU.Mean[30] != nil || m.PendingRuns.Max[30] != nil || m.DatabaseSize.Mean[30] != nil || m.RedisCPU.Max[30] != nil || m.Latency.P99[30] != nil || *m.Requests[30] != 0 || *m.Replicas.Mean[30] != 0 {
		t.Errorf("measured: %s", body)
	}
}

// columns calls fn for each list in a value.
func columns(t *testing.T, v reflect.Value, name string, fn func(string, reflect.Value)) {
	t.Helper()
	for i := range v.NumField() {
		switch field, name := v.Field(i), name+"."+v.Type().Field(i).Name; {
		case field.Kind() == reflect.Slice:
			fn(name, field)
		case field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[wire.Time]():
			columns(t, field, name, fn)
		}
	}
}

func TestMetricsOfNothing(t *testing.T) {
	c, s := serve(t)
	status, _, body := ask(t, s, "GET", metricsPath, "reader", "")
	if status != 200 || !c.metrics.Start.IsZero() || !c.metrics.End.IsZero() || c.metrics.Step != 0 || c.metrics.Deployment != someID {
		t.Errorf("%d, asked for %+v", status, c.metrics)
	}
	if strings.Contains(body, `:null`) || !strings.Contains(body, `"requests":[null,null,`) || !strings.Contains(body, `"step":15`) {
		t.Errorf("answered %.500s", body)
	}
}

func TestMetricsRefuse(t *testing.T) {
	_, s := serve(t)
	for query, want := range map[string]int{
		"?start=yesterday":                   400,
		"?end=2026-13-01":                    400,
		"?start=2026-03-01T13:00:00Z":        400, // after the end
		"?start=2026-02-01T00:00&step=1":     400, // no time zone, no seconds
		"?start=2026-02-10T00:00:00Z&step=1": 400, // too many
		"?step=0":                            422,
		"?step=-15":                          422,
		"?step=2592001":                      422,
		"?step=15s":                          422,
		"?start=&end=&step=3600":             200,
	} {
		status, _, body := ask(t, s, "GET", metricsPath+query, "reader", "")
		if status != want || status != 200 && !strings.Contains(body, `"detail"`) {
			t.Errorf("%s: %d %.300s, want %d", query, status, body, want)
		}
	}
}
