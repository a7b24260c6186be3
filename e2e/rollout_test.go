package e2e_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/internal/basetest"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/postgrestest"
)

// What TestRollout does, by the environment. `make test-rollout` sets more than
// there is time for in every run of the tests.
var (
	rolloutCount   = fromEnvironment("SLIPWAY_ROLLOUTS", 3)
	rolloutClients = fromEnvironment("SLIPWAY_ROLLOUT_CLIENTS", 16)
	rolloutSeconds = fromEnvironment("SLIPWAY_ROLLOUT_SECONDS", 0) // over which they are spread
	rolloutImages  = fromEnvironment("SLIPWAY_ROLLOUT_IMAGES", 0)  // of images too, unless 0
)

func fromEnvironment(name string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return fallback
}

// Revision after revision is rolled out while clients start runs in a closed
// loop: none fails, and no stream is cut, of either kind: one that hands over its
// state, and one that has none and runs side by side; `make test-rollout-images` has images
// of the first too, which take long to build.
func TestRollout(t *testing.T) {
	t.Parallel()
	t.Run("state", func(t *testing.T) {
		s := newServer(t, "--handover-wait", "1s", "--rate-limit", "0")
		rollOut(t, s.create("rolled-out"), func(n int) []byte {
			return pack(t, echo, map[string]string{"README.md": fmt.Sprint("revision ", n)})
		})
	})
	t.Run("database", func(t *testing.T) {
		s := aegraServer(t, "--rate-limit", "0")
		made, err := s.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{
			Name: "rolled-out", Source: "internal_source",
			SourceConfig: wire.SourceConfigRequest{AgentServer: new("aegra")},
			Secrets:      []wire.Secret{{Name: "POSTGRES_URI_CUSTOM", Value: postgrestest.Empty(t)}},
		})
		must(t, err)
		s.deployed = true
		rollOut(t, &deployment{server: s, id: made.ID, url: s.url + "/d/rolled-out"}, func(n int) []byte {
			return pack(t, "../examples/echo-py", map[string]string{"README.md": fmt.Sprint("revision ", n)})
		})
	})
	if rolloutImages == 0 {
		return
	}
	e := dockertest.Shared(t)
	basetest.Node(t, e.Client(t), "node-of-rollouts:20")
	basetest.PlainPython(t, e.Client(t), "python-of-rollouts:3.12")
	for name, dir := range map[string]string{"node": echo, "python": echoPy.dir} {
		t.Run("image, "+name, func(t *testing.T) {
			s := onEngine(t, e, "--handover-wait", "1s", "--rate-limit", "0", "--source-builds", "image",
				"--base-image-node", "node-of-rollouts:20", "--base-image-python", "python-of-rollouts:3.12")
			rollOut(t, s.create("rolled-out"), func(n int) []byte {
				return pack(t, dir, map[string]string{"README.md": fmt.Sprint("revision ", n)})
			})
		})
	}
}

func rollOut(t *testing.T, d *deployment, app func(n int) []byte) {
	d.deploy(app(0))
	clients := d.load(rolloutClients)
	began := time.Now()
	for n := range rolloutCount {
		if spread := time.Duration(rolloutSeconds) * time.Second; spread > 0 {
			due := began.Add(spread * time.Duration(n) / time.Duration(rolloutCount))
			eventually(t, "the next rollout is due", func() bool { return !time.Now().Before(due) })
		}
		before := clients.seen()
		d.deploy(app(n + 1))
		eventually(t, "runs end after the rollout", func() bool { return clients.seen() > before })
	}
	clients.end()
	held := seriesAt(t, d.server.url+"/metrics", d.key, "slipway_gateway_hold_longest_seconds", d.id)
	t.Logf("%d rollouts in %s, the longest hold %.3f s", rolloutCount, time.Since(began).Round(time.Millisecond), held)
}
