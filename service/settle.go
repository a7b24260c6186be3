package service

import (
	"cmp"
	"fmt"

	"github.com/slipwayhq/slipway"
)

// active reads the revision that serves; zero if none does.
func (r *report) active() (slipway.Revision, error) {
	if r.d.Active == "" {
		return slipway.Revision{}, nil
	}
	active, err := r.Revision(r.d.ID, r.d.Active)
	return active, wrap("read active revision", err)
}

// lastGood is what to go back to from a revision that passes its gate: the one
// that serves until then or, if that does not do well, what came before it. What
// was made in the place of one that failed has none: it would go round in
// circles.
func (r *report) lastGood(id slipway.RevisionID) (slipway.RevisionID, error) {
	passes, err := r.Revision(r.d.ID, id)
	if err != nil || passes.ReturnsFrom != "" {
		return "", err
	}
	active, err := r.active()
	switch state := r.d.Health.State; {
	case err != nil:
		return "", err
	case active.Failure != nil:
		return r.d.Running.Before, nil
	case state == slipway.Restarts || state == slipway.Unhealthy:
		return cmp.Or(r.d.Running.Before, active.ID), nil
	}
	return active.ID, nil
}

// forgetCrashes counts anew from the gate on: it has allowed for those before.
func (r *report) forgetCrashes(id slipway.RevisionID) error {
	instances, err := r.ListInstances(r.d.ID)
	if err != nil {
		return fmt.Errorf("read instances: %w", err)
	}
	for _, i := range instances {
		if i.Revision != id || i.Crashes == 0 {
			continue
		}
		i.Crashes = 0
		if err := r.UpdateInstance(i); err != nil {
			return fmt.Errorf("write instance: %w", err)
		}
	}
	return nil
}

// servingFailed writes why the active revision fails and, where it was to settle
// still, makes the revision that takes its place.
func (r *report) servingFailed(e slipway.ServingFailed) error {
	bad, err := r.active()
	if err != nil || bad.ID != e.Revision {
		return err // another took its place already
	}
	said := ""
	if e.Return {
		if said, err = r.giveBack(bad, e.Failure); err != nil {
			return err
		}
	}
	if said == "" && bad.Failure != nil {
		return nil // it is known
	}
	bad.Failure, bad.Message = &e.Failure, e.Failure.Message+said
	if err := r.UpdateRevision(&bad, bad.Status); err != nil {
		return fmt.Errorf("write failed revision: %w", err)
	}
	return r.health(slipway.Health{State: slipway.Unhealthy, Reason: e.Failure.Message})
}

// giveBack makes a copy of the last good revision, as a redeploy does, and says
// of the one that failed what was done; "" for nothing. It is done once at most:
// afterwards there is nothing to go back to. What the owner deploys comes first.
func (r *report) giveBack(bad slipway.Revision, f slipway.Failure) (string, error) {
	open, err := r.OpenRevisions(r.d.ID)
	if err != nil || len(open) > 0 || r.d.Running.Before == "" || bad.ReturnsFrom != "" {
		return "", wrap("read open revisions", err)
	}
	good, err := r.Revision(r.d.ID, r.d.Running.Before)
	if err != nil {
		return "", fmt.Errorf("read last good revision: %w", err)
	}
	r.d.Running.Before, r.dirty = "", true
	switch err := r.redeployable(good); {
	case slipway.CodeOf(err) != "":
		return " Nothing takes its place. " + err.Error(), nil
	case err != nil:
		return "", err
	}
	made, err := r.copyOf(r.d, good, slipway.Revision{ReturnsFrom: bad.ID, Message: fmt.Sprintf(
		"It was made in the place of revision %s, which failed after it was deployed, and is a copy of revision %s, which served before. %s", bad.ID, good.ID, f.Message)})
	if err != nil {
		return "", fmt.Errorf("make a copy of revision %s: %w", good.ID, err)
	}
	return fmt.Sprintf(" Revision %s, a copy of %s, was made to take its place.", made.ID, good.ID), nil
}

// servingRecovered takes back what was written of an active revision that failed.
func (r *report) servingRecovered(e slipway.ServingRecovered) error {
	active, err := r.active()
	if err != nil || active.ID != e.Revision || active.Failure == nil {
		return err
	}
	active.Failure, active.Message = nil, ""
	if err := r.UpdateRevision(&active, active.Status); err != nil {
		return fmt.Errorf("write recovered revision: %w", err)
	}
	return r.health(slipway.Health{State: slipway.Healthy})
}
