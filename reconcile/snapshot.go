package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/slipwayhq/slipway"
)

// FinalSnapshots keep the last state of a deployment, and give it to another.
type FinalSnapshots interface {
	// Keep writes the state, unless that was done in this deletion, and returns
	// where it lies; "" if there is none. The revision is the one that worked with
	// it last, nil for none.
	Keep(ctx context.Context, d slipway.Deployment, last *slipway.Revision) (path string, err error)
	// Look reads a snapshot from one end to the other, and says what it holds.
	Look(ctx context.Context, path string) (slipway.SnapshotContents, error)
	// Database has the dump in a snapshot be read.
	Database(ctx context.Context, path string, do func(io.Reader) error) error
	// State has the state in it be read, of containers or not, as a driver wrote it.
	State(ctx context.Context, path string, contained bool, do func(io.Reader) error) error
}

// nextOfSnapshot looks at a snapshot that is to be restored, while everything
// serves.
func nextOfSnapshot(w world) step {
	if r := w.Deployment.Running.Restore; r == nil || r.Phase != slipway.RestoreChecking {
		return step{do: rest, why: "no snapshot is to be looked at"}
	}
	return step{do: inspect, why: "a snapshot is to be restored"}
}

// replaces says whether the data of the deployment is about to be replaced. A rollout
// that has begun comes to its end first, and none begins meanwhile.
func (w world) replaces() bool {
	return w.Deployment.Running.Restore.Stops() && !w.deploying() && w.Deployment.Running.Handover == nil
}

// replaceData has everything stop, and then puts the snapshot in. What is stopped
// comes back afterwards as one does that was stopped and is wanted again. A build
// goes on beside it.
func replaceData(w world) step {
	for _, i := range w.Instances {
		if w.running(i) {
			return w.unlessPutOff(step{do: drain, instance: i, why: "its data is to be replaced"})
		}
	}
	if w.Deployment.Running.Outdated != "" {
		return soonest(w, discardOutdated(w), nextOfBuild(w))
	}
	return soonest(w, step{do: refill, why: "nothing has the data open"}, nextOfBuild(w))
}

// inspectSnapshot says whether a snapshot can be restored, before anything is
// stopped for it. That it can not be read is no reason to wait.
func (w *worker) inspectSnapshot(ctx context.Context) error {
	err := errNoFolder
	if w.config.Final != nil {
		var c slipway.SnapshotContents
		if c, err = w.config.Final.Look(ctx, w.a.Deployment.Running.Restore.Path); err == nil {
			err = w.fits(c)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		w.log.Warn("a snapshot is not restored", slog.Any("error", err))
		return w.report(ctx, slipway.RestoreMoved{Phase: slipway.RestoreFailed, Reason: reasonOf(err)})
	}
	return w.report(ctx, slipway.RestoreMoved{Phase: slipway.RestoreReading})
}

var errNoFolder = errors.New("this server keeps no final snapshots: start it with --final-snapshots, and the folder that the snapshot is in")

// fits says whether what a snapshot holds is data for what serves. What is not
// known to be replaced with it would be left behind.
func (w *worker) fits(c slipway.SnapshotContents) error {
	r := w.a.Active
	needs := w.kinds[r.Artefact.Kind].Needs.Without(w.a.Brings[r.ID])
	if f := c.Fits(*r, w.kinds, needs); f != nil {
		return f
	}
	return nil
}

// reasonOf is what people are told.
func reasonOf(err error) string {
	if f, ok := errors.AsType[*slipway.Failure](err); ok {
		return f.Message + " " + f.Hint
	}
	return err.Error()
}

// refillFromSnapshot puts a snapshot in the place of the data. All that may fail
// for good comes before anything is replaced; what comes after is tried again
// until it succeeds. Dead at any line, it is begun anew.
func (w *worker) refillFromSnapshot(ctx context.Context) error {
	err := w.readIn(ctx)
	_, final := errors.AsType[*slipway.Failure](err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case final:
		w.log.Warn("a snapshot is not restored", slog.Any("error", err))
		if err := w.driver.Discard(ctx, w.a.Deployment.ID, w.a.Deployment.Running.Restore.Incoming()); err != nil {
			return fmt.Errorf("discard what was read of a snapshot: %w", err)
		}
		return w.report(ctx, slipway.RestoreMoved{Phase: slipway.RestoreFailed, Reason: reasonOf(err)})
	case err == nil:
		err = w.putIn(ctx)
	}
	if err != nil {
		return w.notRestored(ctx, err)
	}
	w.log.Info("a snapshot was restored", slog.String("from", string(w.a.Deployment.Running.Restore.From)))
	return w.report(ctx, slipway.RestoreMoved{Phase: slipway.RestoreDone})
}

// notRestored says why a snapshot was not restored yet, which is tried again unless
// it was cancelled meanwhile: then the next steps remove what was read.
func (w *worker) notRestored(ctx context.Context, err error) error {
	told := w.report(ctx, slipway.RestoreMoved{Phase: w.a.Deployment.Running.Restore.Phase, Reason: err.Error()})
	if told == nil && !w.a.Deployment.Running.Restore.Pending() {
		w.log.Info("a snapshot is not restored: that was cancelled")
		return nil
	}
	return errors.Join(fmt.Errorf("restore snapshot: %w", err), told)
}

// readIn reads the state in beside what there is, and then the database: that takes
// the place of the old one at its end. So it comes last of what may fail for good,
// and before it that is written down.
func (w *worker) readIn(ctx context.Context) error {
	d, r := w.a.Deployment, w.a.Active
	path, contained := d.Running.Restore.Path, r.Artefact.Image != ""
	if w.config.Final == nil {
		return errNoFolder
	}
	kind := w.kinds[r.Artefact.Kind]
	if kind.Exclusive {
		err := w.config.Final.State(ctx, path, contained, func(state io.Reader) error {
			return w.driver.Import(ctx, d.ID, w.a.Deployment.Running.Restore.Incoming(), contained, state)
		})
		if err != nil {
			return err
		}
	}
	if !kind.Needs.Without(w.a.Brings[r.ID]).Postgres {
		return w.replacing(ctx)
	}
	if err := w.databaseIsHere(ctx); err != nil {
		return err
	}
	err := w.config.Final.Database(ctx, path, func(dump io.Reader) error {
		return w.config.Databases.Import(ctx, d.ID, dump, w.replacing)
	})
	if errors.Is(err, slipway.ErrDatabaseGone) {
		return databaseGone(err)
	}
	return err
}

// replacing writes down that the data is replaced from now on, so that it can not be
// cancelled any more, unless it was.
func (w *worker) replacing(ctx context.Context) error {
	if err := w.report(ctx, slipway.RestoreMoved{Phase: slipway.RestoreReplacing}); err != nil {
		return err
	}
	if !w.a.Deployment.Running.Restore.Pending() {
		return errCancelled
	}
	return nil
}

var errCancelled = errors.New("the restore of the snapshot was cancelled")

// putIn has what was read in be the state, and empties the queue of what was before.
func (w *worker) putIn(ctx context.Context) error {
	d := w.a.Deployment.ID
	if w.kinds[w.a.Active.Artefact.Kind].Exclusive {
		if err := w.driver.Restore(ctx, d, w.a.Deployment.Running.Restore.Incoming()); err != nil {
			return err
		}
		if err := w.driver.Discard(ctx, d, w.a.Deployment.Running.Restore.Incoming()); err != nil {
			return err
		}
	}
	if w.a.RedisPort != 0 {
		return w.removeRedis(ctx)
	}
	ref := w.redisNumber()
	if ref == "" || w.config.Redis == nil {
		return nil
	}
	return w.emptyNumber(ctx, w.numberItem())
}
