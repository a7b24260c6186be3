package docker

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
)

// happened takes what the engine tells of a container of ours. Ends wake; what
// an image's own HEALTHCHECK finds, and what somebody does by hand, is said.
func (d *Driver) happened(e events.Message) {
	deployment, instance := e.Actor.Attributes[labelDeployment], e.Actor.Attributes[labelInstance]
	logger := d.Logger.With(slog.String("deployment", deployment), slog.String("instance", instance))
	switch action, detail, _ := strings.Cut(string(e.Action), ": "); events.Action(action) {
	case events.ActionDie, events.ActionDestroy:
		d.exits.Send(slipway.DeploymentID(deployment))
	case events.ActionHealthStatus:
		switch detail { // engines tell of every running of the check too
		case string(container.Unhealthy):
			logger.Warn("a container is unhealthy, as the check of its image finds")
		case string(container.Healthy):
			logger.Info("a container is healthy, as the check of its image finds")
		}
	case events.ActionPause:
		logger.Warn("a container was paused")
	case events.ActionUnPause:
		logger.Info("a container goes on that was paused")
	case events.ActionOOM:
		logger.Warn("a container ran out of memory")
	}
}

// told are the events that are listened to.
func (d *Driver) told() client.Filters {
	f := d.ours().Add("type", string(events.ContainerEventType))
	for _, action := range []events.Action{
		events.ActionDie, events.ActionDestroy, events.ActionHealthStatus, events.ActionPause, events.ActionUnPause, events.ActionOOM,
	} {
		f = f.Add("event", string(action))
	}
	return f
}

// outOfMemory says whether a container ended for want of memory. That it ever
// did stays in the engine's description when somebody starts it again: what
// counts is what happened since. The engine remembers that for a while only;
// then it goes by how the container ended.
func (d *Driver) outOfMemory(ctx context.Context, l *look) bool {
	if !l.state.OOMKilled {
		return false
	}
	began, err := time.Parse(time.RFC3339Nano, l.state.StartedAt)
	if err != nil {
		return true
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	happened := d.Engine.Events(ctx, client.EventsListOptions{
		Since: stamp(began), Until: stamp(time.Now()),
		Filters: make(client.Filters).Add("container", l.id).Add("event", string(events.ActionOOM), string(events.ActionStart)),
	})
	started := false // whether the engine remembers as far back as that
	for {
		select {
		case e := <-happened.Messages:
			if e.Action == events.ActionOOM {
				return true
			}
			started = true
		case <-happened.Err:
			return !started
		}
	}
}
