package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/slipwayhq/slipway"
)

// gatherFor is how long deletions that come to their end one after the other are
// waited for, to be finished together: each look for them costs as much as a few.
const gatherFor = 50 * time.Millisecond

// retryAfter is how long the coordinator waits after something went wrong.
const retryAfter = 5 * time.Second

// sweepEvery is how often receipts, the registry and measurements are swept, at
// most.
const sweepEvery = 10 * time.Minute

// releaseEvery is how often what is not needed any more is looked for. What is
// kept is kept for days.
const releaseEvery = time.Hour

// Coordinate ends what has passed its deadline, finishes and purges deletions,
// looks after tracing projects, sweeps receipts, the registry and measurements and
// gives up what is not needed any more, until ctx ends; then it writes what was
// measured last. Several may run on one store.
func (s *Service) Coordinate(ctx context.Context) {
	defer s.keepRest(context.WithoutCancel(ctx))
	var swept, released, beside time.Time
	for ctx.Err() == nil {
		dying, begun := s.board.dying.wait(), time.Now()
		wait, err := s.coordinate(ctx)
		if now := s.now(); !now.Before(beside) {
			again, failed := s.finishBeside(ctx)
			beside, err = now.Add(besideEvery), errors.Join(err, failed)
			if !again.IsZero() {
				in := max(besideLeast, again.Sub(now))
				beside, wait = sooner(beside, now.Add(in)), min(wait, in)
			}
		}
		if now := s.now(); now.Sub(swept) >= sweepEvery {
			swept, err = now, errors.Join(err, s.sweepReceipts(ctx), s.sweepDeletions(ctx), s.images.Sweep(ctx), s.sweepMeasurements(ctx))
		}
		if now := s.now(); now.Sub(released) >= releaseEvery {
			released, err = now, errors.Join(err, s.release(ctx), s.retainImages(ctx))
		}
		if err != nil && ctx.Err() == nil {
			s.config.Logger.Error("coordinator", slog.Any("error", err))
			wait = retryAfter
		}
		select {
		case <-ctx.Done():
		case <-dying:
			pause(ctx, gatherFor-time.Since(begun))
		case <-time.After(wait):
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// coordinate does what is due and says when to look again.
func (s *Service) coordinate(ctx context.Context) (time.Duration, error) {
	err := errors.Join(s.endOverdue(ctx), s.purgeOverdue(ctx))
	next, failed := s.finishDeletions(ctx)
	if err = errors.Join(err, failed, s.tendProjects(ctx)); err != nil {
		return 0, err
	}
	err = s.read(ctx, func(c *change) error {
		deadline, err1 := c.NextDeadline()
		purge, err2 := c.NextPurge()
		project, err3 := c.NextProjectDue()
		next = sooner(sooner(next, project), sooner(deadline, purge))
		return errors.Join(err1, err2, err3)
	})
	wait := min(longPoll, s.config.BuildLimit, s.config.ImageLimit) // sooner than any deadline that is set meanwhile
	if !next.IsZero() {
		wait = max(time.Millisecond, min(wait, next.Sub(s.now())))
	}
	return wait, err
}

// endOverdue fails revisions whose time is over (design: deadlines).
func (s *Service) endOverdue(ctx context.Context) error {
	var overdue []slipway.Revision
	err := s.read(ctx, func(c *change) (err error) {
		overdue, err = c.OverdueRevisions(c.now, 0)
		return err
	})
	for _, r := range overdue {
		err = errors.Join(err, s.endOne(ctx, r.Deployment, r.ID))
	}
	return wrap("end overdue revisions", err)
}

func (s *Service) endOne(ctx context.Context, d slipway.DeploymentID, id slipway.RevisionID) error {
	return s.change(ctx, func(c *change) error {
		r, err := c.Revision(d, id)
		if err != nil || !r.Status.InProgress() || r.Deadline.After(c.now) {
			return err // somebody else was faster
		}
		deployment, err := c.Deployment(d)
		if err != nil {
			return err
		}
		r.Failure = timeout(deployment, r, c.service.config)
		r.Message = r.Failure.Message
		if err := c.move(&r, slipway.Fail); err != nil {
			return err
		}
		if err := c.takeTurn(d); err != nil {
			return err
		}
		return c.want(&deployment)
	})
}

func timeout(d slipway.Deployment, r slipway.Revision, config Config) *slipway.Failure {
	phase, limit := slipway.PhaseBuild, config.BuildLimit
	if r.Status == slipway.AwaitingDeploy || r.Status == slipway.Deploying {
		phase = slipway.PhaseDeploy
	}
	if r.Config.TarballPath == "" {
		limit = config.ImageLimit
	}
	if d.Config.ListenerID != "" && (r.Status == slipway.AwaitingBuild || r.Status == slipway.AwaitingDeploy) {
		return &slipway.Failure{
			Phase: phase, Step: string(r.Status), Code: "listener_not_connected",
			Message: fmt.Sprintf("Listener ID %s is not connected: it did not take the revision within %s.", d.Config.ListenerID, limit.Round(time.Second)),
			Hint:    "Start the listener's program in its cluster, then redeploy.",
		}
	}
	if d.Status == slipway.AwaitingDatabase && phase == slipway.PhaseDeploy && r.Message != "" {
		return &slipway.Failure{
			Phase: phase, Step: "database", Code: "database_unavailable",
			Message: fmt.Sprintf("After %s the database was not there yet. %s", limit.Round(time.Second), r.Message),
			Hint:    "It is still being asked for. Redeploy the revision once the deployment is READY.",
		}
	}
	return &slipway.Failure{
		Phase: phase, Step: string(r.Status), Code: "timeout",
		Message: fmt.Sprintf("It was still %s after %s.", r.Status, limit.Round(time.Second)),
		Hint:    "The logs of the revision show how far it came.",
	}
}
