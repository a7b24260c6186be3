package vitals

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/slipwayhq/slipway"
)

// Codes of what an instance may suffer from.
const (
	Unresponsive = "unresponsive" // it does not answer its probe
	RunsStuck    = "runs_stuck"   // a run waits, and none runs
)

// alive asks an instance for its kind's probe; it is sick once it has missed
// enough answers in a row. One that is late with us alone, and has begun to answer
// somebody else meanwhile, is busy.
func (v *Vitals) alive(ctx context.Context, w *watch) *slipway.Failure {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, v.config.Timeout)
	defer cancel()
	status, err := v.prober.Probe(limited, w.Route, w.Probe)
	if ctx.Err() != nil {
		return nil
	}
	busy := err != nil && limited.Err() != nil && v.prober.Heard(w.Route).After(began)
	if busy || err == nil && status == http.StatusOK {
		w.misses = 0
		v.crowd.well(w)
		return nil
	}
	if v.crowd.missing(w) {
		if w.misses > 0 {
			v.config.Logger.Warn("most deployments do not answer, which is not held against any for a while", slog.String("instance", string(w.Instance)))
		}
		w.misses = 0
		return nil
	}
	if w.misses++; w.misses < v.config.Misses {
		return nil
	}
	answer := fmt.Sprintf("answered %d", status)
	if err != nil {
		answer = fmt.Sprintf("gave no answer within %s", v.config.Timeout)
	}
	return &slipway.Failure{
		Phase: slipway.PhaseServe, Step: "liveness", Code: Unresponsive,
		Message: fmt.Sprintf("The agent server runs, but %s to GET %s, %d times in a row.", answer, w.Probe, w.misses),
		Hint:    "Code that blocks the event loop for long keeps it from answering: have it wait asynchronously, or work in a thread or process of its own.",
	}
}
