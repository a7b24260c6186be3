package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/slipwayhq/slipway"
)

// buildTask is a build that runs beside the passes.
type buildTask struct {
	revision slipway.RevisionID
	log      *buildLog
	cancel   context.CancelFunc
	end      chan struct{} // closed when the result is there
	artefact slipway.Artefact
	err      error
}

func (b *buildTask) running() bool {
	if b == nil {
		return false
	}
	select {
	case <-b.end:
		return false
	default:
		return true
	}
}

func (b *buildTask) outcome() *outcome {
	if b == nil {
		return nil
	}
	if b.running() {
		return &outcome{revision: b.revision}
	}
	return &outcome{revision: b.revision, done: true, artefact: b.artefact, err: b.err}
}

// cancelUnwantedBuild ends a build of a revision that is no longer in progress.
func (w *worker) cancelUnwantedBuild() {
	if w.build.running() && (w.a.InProgress == nil || w.a.InProgress.ID != w.build.revision || w.a.Deployment.Deleting()) {
		w.build.cancel()
	}
}

// endBuild cancels a build and waits for its end.
func (w *worker) endBuild() {
	if w.build != nil {
		w.build.cancel()
		<-w.build.end
		w.build.log.Close()
	}
}

// beginBuild reports that the build starts, and what it will make, before it
// starts.
func (w *worker) beginBuild(ctx context.Context, r *slipway.Revision) error {
	w.endBuild() // one that has ended, and whose revision has too
	request := w.request(r)
	kind, ref := w.builder.Makes(request)
	events := []slipway.Event{slipway.ItemPlanned{Kind: kind, Ref: ref}}
	if r.Status == slipway.AwaitingBuild {
		events = append(events, slipway.BuildStarted{Revision: r.ID})
	}
	if err := w.report(ctx, events...); err != nil {
		return err
	}
	// The build outlives the step: it ends with the worker, or when it is not
	// wanted any more.
	buildCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	task := &buildTask{revision: r.ID, log: w.newBuildLog(request), cancel: cancel, end: make(chan struct{})}
	w.build = task
	go func() {
		defer w.nudge()
		defer close(task.end)
		defer cancel()
		task.artefact, task.err = w.runBuild(buildCtx, request, task.log)
		if task.err != nil {
			task.log.Close() // else its end goes with the report
		}
	}()
	return nil
}

func (w *worker) request(r *slipway.Revision) slipway.BuildRequest {
	return slipway.BuildRequest{
		Deployment: r.Deployment, Revision: r.ID, SourceDigest: r.Config.SourceDigest, ConfigPath: r.Config.ConfigPath,
		SourceTree: r.Config.SourceTree, Image: image(r), AgentServer: r.Config.AgentServer,
		InstallCommand: r.Config.InstallCommand, BuildCommand: r.Config.BuildCommand,
		Source:  func(ctx context.Context) (io.ReadCloser, error) { return w.sync.Source(ctx, w.lease, r.ID) },
		Secrets: func(ctx context.Context) ([]slipway.EnvVar, error) { return w.sync.BuildSecrets(ctx, w.lease, r.ID) },
		Confidential: func(ctx context.Context) ([]string, error) {
			return w.sync.Confidential(ctx, w.lease, r.ID)
		},
		RegistryAuth: func(ctx context.Context) (slipway.RegistryAuth, error) {
			return w.sync.RegistryAuth(ctx, w.lease, r.ID)
		},
	}
}

// image is what is to be fetched for a revision, "" if it is built.
func image(r *slipway.Revision) string {
	if r.Fetches() {
		return r.Config.ImageURI
	}
	return ""
}

// runBuild waits for a place and builds. Trouble that may pass is met with
// another try; the deadline of the revision ends that.
func (w *worker) runBuild(ctx context.Context, request slipway.BuildRequest, log io.Writer) (slipway.Artefact, error) {
	select {
	case w.builds <- struct{}{}:
		defer func() { <-w.builds }()
	case <-ctx.Done():
		return slipway.Artefact{}, ctx.Err()
	}
	for failures := 1; ; failures++ {
		artefact, err := w.builder.Build(ctx, request, log)
		if _, final := errors.AsType[*slipway.Failure](err); err == nil || final || ctx.Err() != nil {
			if err != nil {
				fmt.Fprintln(log, err)
			}
			return artefact, err
		}
		wait := retryBackoff.After(failures)
		w.log.Warn("build failed, it is tried again", slog.Any("error", err), slog.Duration("in", wait))
		fmt.Fprintf(log, "%v; another try follows in %s\n", err, wait)
		pause(ctx, wait)
	}
}

// settleBuild reports how the build ended, and at once what follows from it. It
// is kept until the report has arrived: another build could take as long.
func (w *worker) settleBuild(ctx context.Context, r *slipway.Revision) error {
	err := w.reportBuild(ctx, r, w.build)
	if _, final := errors.AsType[*slipway.Failure](w.build.err); err == nil || w.build.err != nil && !final {
		w.build = nil
	}
	return err
}

func (w *worker) reportBuild(ctx context.Context, r *slipway.Revision, task *buildTask) error {
	if task.err != nil {
		return w.failed(ctx, r, "build", task.err)
	}
	var done slipway.Event = slipway.BuildDone{Revision: r.ID, Artefact: task.artefact}
	if r.Fetches() {
		done = slipway.ImageFetched{Revision: r.ID, Artefact: task.artefact}
	}
	placement, err := w.placement(ctx, r, task.artefact)
	if err != nil {
		return w.failed(ctx, r, "plan databases", err)
	}
	said := task.log.take()
	events := append([]slipway.Event{slipway.Logged{Lines: said}, done, slipway.DeployStarted{Revision: r.ID}}, placement...)
	if err := w.report(ctx, events...); err != nil {
		task.log.store(said)
		return w.failed(ctx, r, "plan instance", err)
	}
	return nil
}
