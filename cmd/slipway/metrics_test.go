package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
)

func TestMetricsVerb(t *testing.T) {
	f := fakeControl(t, "DEPLOYED")
	dir := app(t)
	if r := slipwayWith(t.Context(), "", "deploy", dir, "--name", "app"); r.code != exitOK {
		t.Fatalf("%d %s", r.code, r.errs)
	}
	body := `{"start":"2026-03-01T12:00:00Z","end":"2026-03-01T12:03:00Z","step":60,"timestamps":[1,2,3],` +
		`"cpu":{"min":[0,0,null],"mean":[0.5,0.25,null],"max":[1,0.5,null]},"memory":{"mean":[104857600,null,null],"max":[209715200,null,null]},` +
		`"database_size":{"mean":[7340032,null,null],"max":[8388608,null,null]},"database_connections":{"mean":[2.5,null,null],"max":[3,null,null]},` +
		`"redis_cpu":{"mean":[0.035,null,null],"max":[0.07,null,null]},"redis_memory":{"mean":[9437184,null,null],"max":[10485760,null,null]},` +
		`"requests":[0,8,null],"errors":[0,0,null],"restarts":[0,0,null],"latency":{"p50":[null,0.0125,null],"p95":[null,1.5,null],"p99":[null,30,null]}}`
	f.refuse["GET /v2/deployments/"+fakeID+"/metrics"] = answer{200, body}
	r := slipwayWith(t.Context(), "", "metrics", "app", "--since", "3m")
	if r.code != exitOK {
		t.Fatalf("%d %s", r.code, r.errs)
	}
	contains(t, "table", r.out, "every 1m0s since 2026-03-01 12:00:00 UTC", "cpu", "0.25", "1", "█▄·", "memory", "100 MiB", "200 MiB", "█··",
		"replicas", "-", "requests", "8", "8", "▁█·", "latency p50", "12.5ms", "latency p99", "30s", "·█·", "database", "7 MiB", "8 MiB", "█··", "connections", "2.5", "3",
		"redis cpu", "0.035", "0.07", "redis memory", "9 MiB", "10 MiB", "restarts", "0", "▁▁·")
	if r := slipwayWith(t.Context(), "", "metrics", "app", "--json"); r.code != exitOK || !strings.Contains(r.out, `"step": 60`) {
		t.Errorf("%d %s%s", r.code, r.out, r.errs)
	}
	for _, args := range [][]string{{"--since", "0s"}, {"--step", "1ms"}, {"--since", "soon"}} {
		if r := slipwayWith(t.Context(), "", append([]string{"metrics", "app"}, args...)...); r.code != exitUsage {
			t.Errorf("%v: %d %s", args, r.code, r.errs)
		}
	}
}

func TestMetricsTableOfNothing(t *testing.T) {
	var out bytes.Buffer
	unknown := make([]*int, 240)
	if err := printMetrics(&out, wire.DeploymentMetrics{Step: 15, Start: wire.NewTime(time.Unix(0, 0)), Requests: unknown}); err != nil {
		t.Fatal(err)
	}
	contains(t, "table", out.String(), "cpu", "-", "-", "requests", "-", "-", strings.Repeat("·", 60), "errors")
	if strings.Contains(out.String(), strings.Repeat("·", 61)) {
		t.Errorf("a line is too long:\n%s", out.String())
	}
}
