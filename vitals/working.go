package vitals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	// looksAtRuns is how often the runs of an instance are looked at within the
	// time that one may wait: to ask costs the server more than its probe does.
	looksAtRuns = 5
	// standstill is how many looks in a row find that none runs: one alone might
	// fall between two runs, or soon after a start.
	standstill = 3
)

// working asks an instance for its runs. Its workers do not work if a run has
// waited for too long and none runs.
//
// That none runs is stricter than that a worker is free, and must be: a run also
// waits, rightly, for another of its thread, which then runs. And a run that is
// to begin later is pending too, so that how long it has waited must be known:
// servers that do not say so are not judged.
func (v *Vitals) working(ctx context.Context, w *watch) *slipway.Failure {
	if w.silent || time.Since(w.asked) < v.config.Pending/looksAtRuns {
		return nil
	}
	w.asked = time.Now()
	limited, cancel := context.WithTimeout(ctx, v.config.Timeout)
	defer cancel()
	runs, err := v.teller.Runs(limited, w.Route.Deployment, w.Instance)
	switch {
	case errors.Is(err, slipway.ErrUntold):
		w.silent = true
		return nil
	case err != nil, runs.Pending == 0, runs.Running > 0, runs.Oldest < v.config.Pending:
		w.still = 0
		return nil
	}
	if w.still++; w.still < standstill {
		return nil
	}
	return &slipway.Failure{
		Phase: slipway.PhaseServe, Step: "workers", Code: RunsStuck,
		Message: fmt.Sprintf("The agent server answers, but its workers stand still: %d pending, the oldest for %s, and none runs.", runs.Pending, runs.Oldest.Round(time.Second)),
		Hint:    "The deploy log shows what its workers printed last. Runs that wait begin after the restart if they are stored.",
	}
}
