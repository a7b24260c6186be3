package service

import (
	"fmt"

	"github.com/slipwayhq/slipway"
)

// journal gathers what a transaction changes of one deployment's statuses, to
// be written as events at its end.
type journal struct {
	deployment slipway.DeploymentID
	was, is    *slipway.DeploymentState // as it was read first and written last
	revisions  []slipway.StatusEvent
	hidden     bool // clients see nothing of the deployment any more
	gone       bool // the deployment's rows were deleted
}

// journal returns that of a deployment. Most transactions have one.
func (c *change) journal(id slipway.DeploymentID) *journal {
	for _, j := range c.journals {
		if j.deployment == id {
			return j
		}
	}
	j := &journal{deployment: id}
	c.journals = append(c.journals, j)
	return j
}

// Deployment reads a row and remembers what events would tell of it.
func (c *change) Deployment(id slipway.DeploymentID) (slipway.Deployment, error) {
	d, err := c.Tx.Deployment(id)
	if err != nil || !c.writes {
		return d, err
	}
	if j := c.journal(id); j.was == nil && j.is == nil {
		j.was = new(d.State())
	}
	return d, nil
}

func (c *change) UpdateDeployment(d *slipway.Deployment) error {
	j := c.journal(d.ID)
	j.is, j.hidden = new(d.State()), d.Deletion.Gone()
	return c.Tx.UpdateDeployment(d)
}

// DeleteDeployment leaves no events.
func (c *change) DeleteDeployment(id slipway.DeploymentID) error {
	c.journal(id).gone = true
	return c.Tx.DeleteDeployment(id)
}

func (c *change) InsertRevision(r slipway.Revision) error {
	c.tell(r)
	return c.Tx.InsertRevision(r)
}

func (c *change) UpdateRevision(r *slipway.Revision, was slipway.RevisionStatus) error {
	if r.Status != was {
		c.tell(*r)
	}
	return c.Tx.UpdateRevision(r, was)
}

func (c *change) tell(r slipway.Revision) {
	j := c.journal(r.Deployment)
	j.revisions = append(j.revisions, slipway.StatusEvent{
		Deployment: r.Deployment, Kind: slipway.EventRevision, Revision: r.State(), At: c.now,
	})
}

// writeEvents is the last thing that a transaction does.
func (c *change) writeEvents() error {
	for _, j := range c.journals {
		events := j.events(c)
		if j.gone || j.hidden { // those who follow see that it is gone
			c.told = append(c.told, j.deployment)
		}
		if j.gone || len(events) == 0 {
			continue
		}
		if err := c.AppendEvents(j.deployment, events); err != nil {
			return fmt.Errorf("write events: %w", err)
		}
		c.told = append(c.told, j.deployment)
	}
	return nil
}

// events are those of the revisions, in their order, and then at most one of
// the deployment, as it is in the end.
func (j *journal) events(c *change) []slipway.StatusEvent {
	if j.is == nil || j.hidden || j.was != nil && same(*j.was, *j.is) {
		return j.revisions
	}
	return append(j.revisions, slipway.StatusEvent{Deployment: j.deployment, Kind: slipway.EventDeployment, State: *j.is, At: c.now})
}

// same leaves out since when the health is what it is: that alone is no news.
func same(a, b slipway.DeploymentState) bool {
	a.Health.Since = b.Health.Since
	return a == b
}
