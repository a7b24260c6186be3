package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
)

// Report implements slipway.Sync: all events in one transaction, under the
// lease's term.
func (s *Service) Report(ctx context.Context, l slipway.Lease, events ...slipway.Event) (slipway.Assignment, error) {
	var after slipway.Assignment
	err := s.change(ctx, func(c *change) error {
		if err := c.CheckLease(l); err != nil {
			return err
		}
		d, err := c.Deployment(l.Deployment)
		if err != nil {
			return err
		}
		r := report{change: c, d: &d, lease: l}
		for _, e := range events {
			if err := r.take(e); err != nil {
				return fmt.Errorf("%T: %w", e, err)
			}
		}
		if err := r.close(); err != nil {
			return err
		}
		if d.Status == slipway.AwaitingFinalDelete { // nothing is left for a data plane
			after = slipway.Assignment{Deployment: d}
			return nil
		}
		after, err = c.assignment(d)
		return err
	})
	return after, wrap("report", err)
}

// report applies events to the rows of one deployment.
type report struct {
	*change
	d     *slipway.Deployment
	lease slipway.Lease
	dirty bool // the deployment's row is to be written
}

func (r *report) take(e slipway.Event) error {
	if r.d.Deleting() && makes(e) {
		return fmt.Errorf("%w: it is %s", slipway.ErrDeleting, r.d.Status)
	}
	switch e := e.(type) {
	case slipway.BuildStarted:
		return r.revision(e.Revision, slipway.StartBuild, nil)
	case slipway.Logged:
		return r.AppendLogs(e.Lines)
	case slipway.BuildDone:
		return r.revision(e.Revision, slipway.Build, func(rev *slipway.Revision) { rev.Artefact = e.Artefact })
	case slipway.ImageFetched:
		return r.imageFetched(e)
	case slipway.DeployStarted:
		return r.revision(e.Revision, slipway.StartDeploy, nil)
	case slipway.GatePassed:
		return r.gatePassed(e)
	case slipway.RevisionFailed:
		return r.failed(e)
	case slipway.InstanceWanted:
		return r.instanceWanted(e)
	case slipway.DatabaseWanted:
		return r.databaseWanted()
	case slipway.DatabaseAwaited:
		return r.databaseAwaited(e.Reason)
	case slipway.DatabaseProvided:
		return r.databaseProvided()
	case slipway.RedisWanted:
		return r.redisWanted(e.Numbers)
	case slipway.RedisServerWanted:
		return r.redisServerWanted(e.Ports)
	case slipway.RedisPortRefused:
		return r.redisPortRefused(e.Ports)
	case slipway.PortRefused:
		return r.portRefused(e)
	case slipway.InstanceChanged:
		return r.UpdateInstance(e.Instance)
	case slipway.InstanceGone:
		return r.instanceGone(e)
	case slipway.HandoverMoved:
		r.d.Running, r.dirty = r.d.Running.HandOver(e.Handover), true
		return nil
	case slipway.SnapshotGone:
		r.d.Running, r.dirty = r.d.Running.Discarded(e.Name), true
		return nil
	case slipway.RestoreMoved:
		r.d.Running, r.dirty = r.d.Running.RestoreMoved(e.Phase, e.Reason, r.now), true
		return nil
	case slipway.HealthChanged:
		return r.health(e.Health)
	case slipway.ServingFailed:
		return r.servingFailed(e)
	case slipway.ServingRecovered:
		return r.servingRecovered(e)
	case slipway.ItemPlanned:
		return r.AddItem(slipway.Item{Deployment: r.d.ID, Kind: e.Kind, Ref: e.Ref, CreatedAt: r.now})
	case slipway.ItemPlaced:
		return r.PlaceItem(r.d.ID, e.Kind, e.Ref, e.Place)
	case slipway.ItemRemoved:
		return r.itemRemoved(e)
	case slipway.ItemVerified:
		return r.MarkVerified(r.d.ID, e.Kind, e.Ref, r.now)
	case slipway.ItemFound:
		return r.itemFound(e)
	case slipway.StateKept:
		r.d.Deletion.Snapshot, r.dirty = e.Path, true
		return nil
	case slipway.ItemStuck:
		return r.MarkStuck(r.d.ID, e.Kind, e.Ref, e.Reason, time.Time{})
	}
	return errors.New("unknown event")
}

// makes says whether an event announces something new, or how it went with a
// revision: of both there is none once a deployment is being deleted.
func makes(e slipway.Event) bool {
	switch e.(type) {
	case slipway.ItemPlanned, slipway.InstanceWanted, slipway.DatabaseWanted, slipway.DatabaseProvided, slipway.RedisWanted, slipway.RedisServerWanted, slipway.RedisPortRefused, slipway.PortRefused, slipway.BuildStarted, slipway.BuildDone, slipway.RevisionFailed, slipway.ImageFetched, slipway.DeployStarted, slipway.GatePassed, slipway.ServingFailed:
		return true
	}
	return false
}

// close writes what follows from all events together.
func (r *report) close() error {
	was := r.d.Status
	if err := r.stopServing(r.d); err != nil {
		return err
	}
	if r.dirty || r.d.Status != was {
		if err := r.UpdateDeployment(r.d); err != nil {
			return fmt.Errorf("write deployment: %w", err)
		}
	}
	if !r.d.Cleared() {
		return nil
	}
	return wrap("end lease", r.Release(r.lease, r.d.Generation, time.Time{}))
}

// revision moves a revision of the deployment and, when that ends it, lets the
// next one begin.
func (r *report) revision(id slipway.RevisionID, e slipway.RevisionEvent, edit func(*slipway.Revision)) error {
	rev, err := r.Revision(r.d.ID, id)
	if err != nil {
		return err
	}
	if edit != nil {
		edit(&rev)
	}
	if err := r.move(&rev, e); err != nil {
		return err
	}
	if !rev.Status.Ended() {
		return nil
	}
	return r.takeTurn(r.d.ID)
}

// imageFetched pins an image: from now on the revision runs this one, whatever
// becomes of the name that it was asked for by.
func (r *report) imageFetched(e slipway.ImageFetched) error {
	rev, err := r.Revision(r.d.ID, e.Revision)
	if err != nil {
		return err
	}
	if rev.Status != slipway.AwaitingDeploy {
		return fmt.Errorf("%w: image fetched in %s", slipway.ErrTransition, rev.Status)
	}
	rev.Artefact, rev.UpdatedAt = e.Artefact, r.now
	return wrap("write revision", r.UpdateRevision(&rev, rev.Status))
}

func (r *report) gatePassed(e slipway.GatePassed) error {
	before, err := r.lastGood(e.Revision)
	if err != nil {
		return err
	}
	if err := r.revision(e.Revision, slipway.PassGate, nil); err != nil {
		return err
	}
	if err := r.forgetCrashes(e.Revision); err != nil {
		return err
	}
	r.d.Running = r.d.Running.HandOver(nil)
	r.d.Running.Since, r.d.Running.Before = r.now, before
	r.d.Active = e.Revision
	r.d.Running.Alone, r.d.Running.Asleep = e.Alone, false
	r.d.Health = slipway.Health{State: slipway.Healthy, Since: r.now}
	r.d.UpdatedAt = r.now
	r.dirty = true
	return r.giveUpLogins()
}

func (r *report) failed(e slipway.RevisionFailed) error {
	return r.revision(e.Revision, slipway.Fail, func(rev *slipway.Revision) {
		rev.Message, rev.Failure = e.Failure.Message, &e.Failure
	})
}

// health writes how what serves does. What has failed is healthy when it has
// recovered, not each time that it comes back.
func (r *report) health(h slipway.Health) error {
	if h.State == r.d.Health.State && h.Reason == r.d.Health.Reason {
		return nil
	}
	if h.State == slipway.Healthy {
		active, err := r.active()
		if err != nil || active.Failure != nil {
			return err
		}
	}
	h.Since = r.now
	r.d.Health, r.dirty = h, true
	return nil
}

// instanceWanted writes instances and their ports before either is used.
func (r *report) instanceWanted(e slipway.InstanceWanted) error {
	instances, err := r.ListInstances(r.d.ID)
	if err != nil {
		return err
	}
	missing := max(e.Count, 1)
	for _, i := range instances {
		if i.Revision == e.Revision {
			missing--
		}
	}
	for ; missing > 0; missing-- {
		if err := r.addInstance(e); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) addInstance(e slipway.InstanceWanted) error {
	id := slipway.NewID[slipway.InstanceID](r.now)
	port, err := r.freePort(e.Ports, string(id))
	if err != nil {
		return err
	}
	if err := r.AddItem(slipway.Item{Deployment: r.d.ID, Kind: slipway.ItemInstance, Ref: string(id), CreatedAt: r.now}); err != nil {
		return err
	}
	return r.InsertInstance(slipway.Instance{
		ID: id, Deployment: r.d.ID, Revision: e.Revision, State: slipway.InstancePlanned,
		Attempt: 1, Port: port, CreatedAt: r.now,
	})
}

// freePort spreads ports over the range, so that one that was just released is
// not the next to be given out.
func (r *report) freePort(ports slipway.PortRange, id string) (int, error) {
	spread := 0
	for _, b := range []byte(id[len(id)-8:]) {
		spread = spread*31 + int(b)
	}
	size := ports.Last - ports.First + 1
	port, err := r.FreePort(ports, ports.First+spread%max(size, 1))
	if errors.Is(err, slipway.ErrNoRow) {
		return 0, &slipway.Failure{
			Phase: slipway.PhaseDeploy, Step: "reserve a port", Code: "no_free_port",
			Message: fmt.Sprintf("All ports from %d to %d are taken.", ports.First, ports.Last),
			Hint:    "Give the server a larger range with --agent-ports.",
		}
	}
	return port, err
}

// portRefused moves an instance that has not served yet to another port. Its
// old one stays reserved until then, so that it is not the one found.
func (r *report) portRefused(e slipway.PortRefused) error {
	i, err := r.Instance(e.Instance)
	if err != nil {
		return err
	}
	if i.Port, err = r.freePort(e.Ports, slipway.NewID[string](r.now)); err != nil {
		return err
	}
	i.Attempt++
	return r.UpdateInstance(i)
}

func (r *report) instanceGone(e slipway.InstanceGone) error {
	if err := r.DeleteInstance(e.Instance); err != nil {
		return err
	}
	if err := r.MarkRemoved(r.d.ID, slipway.ItemInstance, string(e.Instance), r.now); err != nil {
		return err
	}
	return r.giveUpLogins()
}

// itemRemoved writes that a thing is gone, unless it was planned again since it
// was given up: then it is made again, or was not removed.
func (r *report) itemRemoved(e slipway.ItemRemoved) error {
	if !r.d.Deleting() {
		needed, err := r.needs(r.d.ID, e.Kind, e.Ref)
		if err != nil || needed {
			return err
		}
	}
	if e.Kind == slipway.ItemLogin {
		if err := r.forgetLogin(e.Ref); err != nil {
			return err
		}
	}
	return r.MarkRemoved(r.d.ID, e.Kind, e.Ref, r.now)
}

// itemFound writes that a thing of a deployment which is being deleted is there,
// though it was removed, or though nobody has written that it was made.
func (r *report) itemFound(e slipway.ItemFound) error {
	if !r.d.Deleting() {
		return nil // it was restored meanwhile
	}
	if err := r.AddItem(slipway.Item{Deployment: r.d.ID, Kind: e.Kind, Ref: e.Ref, CreatedAt: r.now}); err != nil {
		return err
	}
	return r.MarkStuck(r.d.ID, e.Kind, e.Ref, e.Reason, time.Time{})
}

// needs says whether a deployment has an item that it has not given up.
func (c *change) needs(d slipway.DeploymentID, kind slipway.ItemKind, ref string) (bool, error) {
	items, err := c.ListItems(d)
	return slices.ContainsFunc(items, func(i slipway.Item) bool {
		return i.Kind == kind && i.Ref == ref && i.ReleasedAt.IsZero() && i.RemovedAt.IsZero()
	}), wrap("read inventory", err)
}

// Disown implements slipway.Sync. Counting the owners and leaving them is one
// transaction: of two that leave at once, the second is the last.
func (s *Service) Disown(ctx context.Context, l slipway.Lease, kind slipway.ItemKind, ref string) (shared bool, err error) {
	err = s.change(ctx, func(c *change) error {
		if err := c.CheckLease(l); err != nil {
			return err
		}
		shared, err = c.disown(l, kind, ref)
		return err
	})
	return shared, wrap("disown item", err)
}

// disown says whether an item is to stay: others have it, or the deployment
// needs it after all.
func (c *change) disown(l slipway.Lease, kind slipway.ItemKind, ref string) (stays bool, err error) {
	d, err := c.Deployment(l.Deployment)
	if err != nil {
		return false, err
	}
	if !d.Deleting() {
		if needed, err := c.needs(d.ID, kind, ref); err != nil || needed {
			return needed, err
		}
	}
	owners, err := c.ItemOwners(kind, ref)
	if err != nil || owners <= 1 {
		return false, err
	}
	if err := c.MarkShared(d.ID, kind, ref, c.now); err != nil {
		return false, err
	}
	r := report{change: c, d: &d, lease: l}
	return true, r.close()
}
