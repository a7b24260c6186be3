package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
)

// errNotYet means that a step has nothing to show yet, and is put off already.
var errNotYet = errors.New("not yet")

// take does one step.
func (w *worker) take(ctx context.Context, s step) error {
	switch s.do {
	case build:
		return w.beginBuild(ctx, s.revision)
	case settle:
		return w.settleBuild(ctx, s.revision)
	case provide:
		return w.provide(ctx)
	case startRedis:
		return w.startRedis(ctx)
	case stopRedis:
		return w.endRedis(ctx)
	case deploy:
		return w.plan(ctx, s.revision, slipway.DeployStarted{Revision: s.revision.ID})
	case plan:
		return w.plan(ctx, s.revision)
	case pass:
		return w.passGate(ctx, s.revision)
	case start:
		return w.start(ctx, s)
	case probe:
		return w.probe(ctx, s)
	case again:
		return w.nextAttempt(ctx, s)
	case crashed:
		return w.crashed(ctx, s.instance)
	case calm:
		s.instance.Crashes = 0
		return w.report(ctx, slipway.InstanceChanged{Instance: s.instance})
	case blame:
		return w.report(ctx, slipway.ServingFailed{Revision: s.revision.ID, Failure: *s.failure})
	case absolve:
		return w.report(ctx, slipway.ServingRecovered{Revision: s.revision.ID})
	case giveWay:
		return w.report(ctx, slipway.ServingFailed{Revision: s.revision.ID, Failure: *s.failure, Return: true})
	case kill:
		return w.kill(ctx, s)
	case lull:
		return w.lull(ctx, s)
	case drain:
		return w.drain(ctx, s)
	case remove:
		return w.remove(ctx, s.instance)
	case fail:
		return w.report(ctx, slipway.RevisionFailed{Revision: s.revision.ID, Failure: *s.failure})
	case move:
		return w.moveTo(ctx, s.handover)
	case yield:
		return w.yield(ctx, s)
	case snapshot:
		return w.takeSnapshot(ctx, s)
	case free:
		return w.free(ctx, s)
	case restore:
		return w.putBack(ctx, s)
	case discard:
		return w.discard(ctx)
	case inspect:
		return w.inspectSnapshot(ctx)
	case refill:
		return w.refillFromSnapshot(ctx)
	case removeItem:
		return w.removeItem(ctx, s.item)
	case lookAgain:
		return w.lookAgain(ctx)
	}
	return fmt.Errorf("step %q is unknown", s.do)
}

// plan writes down what a revision is going to run as.
func (w *worker) plan(ctx context.Context, r *slipway.Revision, events ...slipway.Event) error {
	placement, err := w.placement(ctx, r, r.Artefact)
	if err != nil {
		return w.failed(ctx, r, "plan databases", err)
	}
	return w.reportPlan(ctx, r, append(events, placement...))
}

func (w *worker) placement(ctx context.Context, r *slipway.Revision, a slipway.Artefact) ([]slipway.Event, error) {
	events := []slipway.Event{slipway.ItemPlanned{Kind: slipway.ItemRoute, Ref: string(w.a.Deployment.ID)}}
	kind := w.kinds[a.Kind]
	if kind.Exclusive {
		events = append(events, slipway.ItemPlanned{Kind: slipway.ItemState, Ref: string(w.a.Deployment.ID)})
	}
	databases, err := w.wantDatabases(ctx, r, kind)
	events = append(events, databases...)
	return append(events, slipway.InstanceWanted{Revision: r.ID, Count: replicas(w.a.Deployment, r, kind), Ports: w.config.Ports}), err
}

// reportPlan reports what needs a port: that there is none is final.
func (w *worker) reportPlan(ctx context.Context, r *slipway.Revision, events []slipway.Event) error {
	if err := w.report(ctx, events...); err != nil {
		return w.failed(ctx, r, "plan instance", err)
	}
	return nil
}

// start has the driver run the attempt that is written down.
func (w *worker) start(ctx context.Context, s step) error {
	workload, err := w.workload(ctx, s)
	if errors.Is(err, errNotYet) { // its Redis has just been started
		now := w.config.Now()
		w.later[s.key()] = now.Add(probeAgain(now.Sub(w.started[w.a.Deployment.ID.Redis()])))
		return err
	}
	if err == nil {
		_, err = w.driver.Apply(ctx, workload)
	}
	if err != nil {
		return w.notStarted(ctx, s, err)
	}
	w.started[s.instance.ID] = w.config.Now()
	w.refused = 0
	return nil
}

// notStarted reports what kept an instance from being started. Of the active
// revision, which can not fail any more, that is as good as a crash.
func (w *worker) notStarted(ctx context.Context, s step, err error) error {
	f, final := errors.AsType[*slipway.Failure](err)
	switch {
	case final && f.Code == slipway.PortInUse && w.refused < portTries:
		w.refused++
		return w.reportPlan(ctx, s.revision, []slipway.Event{slipway.PortRefused{Instance: s.instance.ID, Ports: w.config.Ports}})
	case s.revision.Status.InProgress():
		return w.failed(ctx, s.revision, "start instance", err)
	case final:
		w.refused = 0
		return w.reportCrash(ctx, s.instance, &slipway.Exit{Code: -1, Reason: f.Message, At: w.config.Now()})
	}
	health := slipway.Health{State: slipway.Restarts, Reason: fmt.Sprintf("The agent server can not be started: %v", err)}
	if h := w.a.Deployment.Health; ctx.Err() != nil || h.State == health.State && h.Reason == health.Reason {
		return fmt.Errorf("start instance: %w", err)
	}
	return errors.Join(fmt.Errorf("start instance: %w", err), w.report(ctx, slipway.HealthChanged{Health: health}))
}

// workload puts together what the instance gets. The deployment's own variables
// win over those of its app, and what the launch needs over both.
func (w *worker) workload(ctx context.Context, s step) (slipway.Workload, error) {
	launch, err := w.builder.Launch(ctx, s.revision.Artefact)
	if err != nil {
		return slipway.Workload{}, fmt.Errorf("prepare launch: %w", err)
	}
	env, err := w.sync.Environment(ctx, w.lease, s.revision.ID, w.config.Reach(ctx, s.revision.Artefact.Image != ""))
	if err != nil {
		return slipway.Workload{}, fmt.Errorf("read environment: %w", err)
	}
	connections, err := w.connections(ctx, s.revision, env)
	if err != nil {
		return slipway.Workload{}, fmt.Errorf("see to databases: %w", err)
	}
	limits := slipway.SizeOf(w.a.Deployment.Config.DeploymentType, s.revision.Config.Resources).Limits
	limits.DiskMB = w.config.DiskMB
	for i := range launch.Env {
		launch.Env[i].Public = true // it holds paths and versions
	}
	return slipway.Workload{
		Instance: s.instance.ID, Deployment: w.a.Deployment.ID, Revision: s.revision.ID, Attempt: s.instance.Attempt,
		Image: s.revision.Artefact.Image, Args: launch.Args, Env: slices.Concat(env, connections, launch.Env), Port: s.instance.Port,
		Read: launch.Read, Socket: launch.Socket,
		Stateful: w.kinds[s.revision.Artefact.Kind].Exclusive, StandBy: w.mayOnlyStandBy(s.instance.ID),
		Limits: limits,
	}, nil
}

// nextAttempt writes the next attempt down; the next pass starts it.
func (w *worker) nextAttempt(ctx context.Context, s step) error {
	i := s.instance
	i.Attempt++
	i.State = slipway.InstancePlanned
	w.forget(i.ID)
	return w.report(ctx, slipway.InstanceChanged{Instance: i})
}

// probe asks an instance whether it serves. Before anything is sent to its
// port, the port must be its own.
func (w *worker) probe(ctx context.Context, s step) error {
	listens, err := w.driver.Listens(ctx, w.a.Deployment.ID, s.instance.ID)
	if err != nil {
		return fmt.Errorf("look at port: %w", err)
	}
	if listens && w.answers(ctx, s) {
		return w.serves(ctx, s)
	}
	now := w.config.Now()
	since := now.Sub(w.started[s.instance.ID])
	w.later[s.key()] = now.Add(probeAgain(since))
	return errNotYet
}

// probeAgain is how long an instance is left alone that does not serve since so
// long: short against its start, so that the last wait hardly prolongs it, and
// never so short that many which start at once keep us busy.
func probeAgain(since time.Duration) time.Duration {
	return min(max(since/8, time.Millisecond), 20*time.Millisecond)
}

func (w *worker) answers(ctx context.Context, s step) bool {
	d, kind := w.a.Deployment, w.kinds[s.revision.Artefact.Kind]
	o, err := w.driver.Inspect(ctx, d.ID, s.instance.ID)
	if err != nil || o.Phase != slipway.PhaseRunning {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	status, err := w.router.Probe(ctx, slipway.Route{
		Deployment: d.ID, Workspace: d.Workspace, Slug: d.Slug, State: slipway.RouteServing, Addresses: []string{o.Address},
	}, kind.Probe)
	return err == nil && status == http.StatusOK
}

// serves reports an instance that answered, and with the last one its revision.
func (w *worker) serves(ctx context.Context, s step) error {
	i := s.instance
	i.State, i.StartedAt, i.Exit = slipway.InstanceServing, w.config.Now(), nil
	changed := slipway.InstanceChanged{Instance: i}
	switch {
	case s.revision.Status != slipway.Deploying:
		return w.report(ctx, changed, slipway.HealthChanged{Health: w.healthWith(i)})
	case s.last:
		return w.passGate(ctx, s.revision, changed)
	}
	return w.report(ctx, changed)
}

// passGate reports a revision whose instances all serve: what it takes over, it
// takes over at full strength. The route follows in the next pass, at once; until
// then new requests wait, so that who reads DEPLOYED finds the new revision and
// no other. If it can not be reported, see endHold.
func (w *worker) passGate(ctx context.Context, r *slipway.Revision, events ...slipway.Event) error {
	w.hold()
	w.heldSince = w.config.Now()
	if w.clock.runs() {
		w.clock.lap("start", w.config.Now())
	}
	err := w.report(ctx, append(events, slipway.GatePassed{Revision: r.ID, Alone: w.kinds[r.Artefact.Kind].Exclusive})...)
	if err == nil {
		w.heldSince = time.Time{}
	}
	if err == nil && w.clock.runs() {
		w.clock.lap("commit", w.config.Now())
		w.log.Info("state handed over", w.clock.stop()...)
	}
	return err
}

// crashed reports an instance that ended by itself, and when it is tried again.
func (w *worker) crashed(ctx context.Context, i slipway.Instance) error {
	o, err := w.driver.Inspect(ctx, w.a.Deployment.ID, i.ID)
	if err != nil {
		return fmt.Errorf("inspect crashed instance: %w", err)
	}
	if o.Exit == nil {
		o.Exit = &slipway.Exit{Code: -1, At: w.config.Now()}
	}
	return w.reportCrash(ctx, i, o.Exit)
}

func (w *worker) reportCrash(ctx context.Context, i slipway.Instance, exit *slipway.Exit) error {
	active := w.a.Active != nil && w.a.Active.ID == i.Revision
	i.State, i.Exit = slipway.InstanceCrashed, exit
	i.Crashes++
	i.RetryAt = w.config.Now().Add(restartBackoff.After(i.Crashes))
	events := []slipway.Event{slipway.InstanceChanged{Instance: i}}
	if active {
		events = append(events, slipway.HealthChanged{Health: w.healthWith(i)})
	}
	return w.report(ctx, events...)
}

// healthWith says how the active revision does once one of its instances is as
// given.
func (w *worker) healthWith(changed slipway.Instance) slipway.Health {
	return healthOf(append(w.siblings(changed), changed))
}

// siblings lists the other instances of an instance's revision.
func (w *worker) siblings(i slipway.Instance) []slipway.Instance {
	return slices.DeleteFunc(slices.Clone(w.a.Instances), func(o slipway.Instance) bool {
		return o.ID == i.ID || o.Revision != i.Revision
	})
}

// kill ends an instance of the active revision that does not do its work, and
// counts that as a crash. Its deployment is unhealthy from before, and new requests
// go elsewhere or wait: to end it takes a while.
func (w *worker) kill(ctx context.Context, s step) error {
	if h := (slipway.Health{State: slipway.Unhealthy, Reason: s.failure.Message}); w.a.Deployment.Health.State != h.State {
		if err := w.report(ctx, slipway.HealthChanged{Health: h}); err != nil {
			return fmt.Errorf("report sick instance: %w", err)
		}
	}
	if err := w.driver.Stop(ctx, w.a.Deployment.ID, s.instance.ID, graceOfUnproved); err != nil {
		return fmt.Errorf("stop instance: %w", err)
	}
	return w.reportCrash(ctx, s.instance, &slipway.Exit{Code: -1, Reason: s.failure.Message, At: w.config.Now(), Sick: s.failure.Code})
}

// lull ends an instance of a deployment that sleeps. New requests wait from now
// on; what the last ones have left to be done is let end first, and keeps the
// deployment awake.
func (w *worker) lull(ctx context.Context, s step) error {
	i, d := s.instance, w.a.Deployment.ID
	ended, err := w.letEnd(ctx, w.left(requestsOf(i.ID), w.drainOf(i), w.config.Now()))
	if err != nil {
		return err
	}
	runs, err := w.driver.Runs(ctx, d, i.ID)
	switch {
	case err != nil && !errors.Is(err, slipway.ErrUntold):
		return fmt.Errorf("ask for runs: %w", err)
	case ended && runs.Pending+runs.Running == 0:
		return w.drain(ctx, s)
	}
	w.log.Info("deployment is not put to sleep, it has work", slog.Int("pending", runs.Pending), slog.Int("running", runs.Running))
	delete(w.begun, requestsOf(i.ID))
	if err := w.sync.Rouse(ctx, d); err != nil {
		return fmt.Errorf("keep awake: %w", err)
	}
	return w.report(ctx)
}

// drain stops an instance for good: new requests wait or go elsewhere, those
// that have begun may end, and so may its runs.
func (w *worker) drain(ctx context.Context, s step) error {
	i, d := s.instance, w.a.Deployment
	grace := s.grace
	if grace == 0 {
		grace = w.drainOf(i)
	}
	if i.State == slipway.InstanceServing && !d.Deleting() {
		ended, err := w.letEnd(ctx, w.left(requestsOf(i.ID), grace, w.config.Now()))
		if err != nil {
			return err
		}
		if !ended {
			w.log.Warn("requests did not end in time and are cut", slog.Duration("after", grace))
		}
	}
	if i.State != slipway.InstanceStopping && !d.Deleting() { // of which everything is stopped anyway
		i.State = slipway.InstanceStopping
		if err := w.report(ctx, slipway.InstanceChanged{Instance: i}); err != nil {
			return err
		}
	}
	w.turn.Give() // it is the instance that takes its time
	if err := w.driver.Stop(ctx, d.ID, i.ID, w.left(stopOf(i.ID), grace, w.config.Now())); err != nil {
		return w.stuck(ctx, slipway.ItemInstance, string(i.ID), err)
	}
	w.forget(i.ID)
	return nil
}

// drainOf is the time that the kind of an instance takes to end its work.
func (w *worker) drainOf(i slipway.Instance) time.Duration {
	if r := w.a.Revision(i.Revision); r != nil {
		return w.kinds[r.Artefact.Kind].Drain
	}
	return slipway.DefaultDrain
}

// letEnd waits, bounded, until requests that have begun at instances which the
// route has left have ended, and says whether they have.
func (w *worker) letEnd(ctx context.Context, limit time.Duration) (ended bool, err error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = w.router.Drained(limited, w.a.Deployment.ID)
	return err == nil, ctx.Err()
}

func (w *worker) remove(ctx context.Context, i slipway.Instance) error {
	w.outputs.Finish(ctx, i.ID)
	if err := w.driver.Delete(ctx, w.a.Deployment.ID, i.ID); err != nil {
		return w.stuck(ctx, slipway.ItemInstance, string(i.ID), err)
	}
	w.forget(i.ID)
	if w.a.Deployment.Deleting() {
		return w.gone(ctx, slipway.ItemInstance, string(i.ID), slipway.InstanceGone{Instance: i.ID})
	}
	events := []slipway.Event{slipway.InstanceGone{Instance: i.ID}}
	if a := w.a.Active; a != nil && a.ID == i.Revision && i.Crashes > 0 && !w.a.Deployment.Running.Asleep {
		events = append(events, slipway.HealthChanged{Health: healthOf(w.siblings(i))})
	}
	return w.report(ctx, events...)
}

// stuck writes down why a thing could not be removed; the step is tried again.
func (w *worker) stuck(ctx context.Context, kind slipway.ItemKind, ref string, err error) error {
	if ctx.Err() != nil {
		return err
	}
	err = fmt.Errorf("remove %s %s: %w", kind, ref, err)
	return errors.Join(err, w.report(ctx, slipway.ItemStuck{Kind: kind, Ref: ref, Reason: err.Error()}))
}
