package service_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
	"github.com/slipwayhq/slipway/service"
)

// coordinate runs a coordinator until the test ends.
func (p *plane) coordinate() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Coordinate(ctx)
	}()
	p.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// told returns the events after one, in short. It does not wait.
func (p *plane) told(d slipway.DeploymentID, after int64) string {
	p.t.Helper()
	var all []string
	for after != p.head(d) {
		events, err := p.Events(p.t.Context(), p.who, d, after)
		must(p.t, err)
		for _, e := range events {
			all, after = append(all, brief(e)), e.Sequence
		}
	}
	return strings.Join(all, " ")
}

func (p *plane) head(d slipway.DeploymentID) (head int64) {
	p.t.Helper()
	must(p.t, p.store.View(p.t.Context(), func(tx slipway.Tx) (err error) {
		head, err = tx.EventHead(d)
		return err
	}))
	return head
}

func brief(e slipway.StatusEvent) string {
	switch e.Kind {
	case slipway.EventRevision:
		return fmt.Sprintf("%d:%s", e.Sequence, e.Revision.Status)
	case slipway.EventDeployment:
		return fmt.Sprintf("%d:%s/%s", e.Sequence, e.State.Status, e.State.Health.State)
	}
	return fmt.Sprintf("%d:%s:%s/%s", e.Sequence, e.Kind, e.State.Status, e.Revision.Status)
}

func TestEventsTellEveryStatus(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	if got := p.told(d.ID, -1); got != "0:reset:READY/" {
		t.Errorf("of a new deployment: %s", got)
	}
	r := p.push(d.ID)
	l := p.acquire(d.ID)
	p.deploy(l, r.ID)
	want := "1:CREATING 2:QUEUED 3:AWAITING_BUILD 4:READY/ 5:BUILDING 6:AWAITING_DEPLOY 7:DEPLOYING 8:DEPLOYED 9:READY/healthy"
	if got := p.told(d.ID, 0); got != want {
		t.Errorf("of a rollout: %s\nwant %s", got, want)
	}
	p.report(l, slipway.HealthChanged{Health: slipway.Health{State: slipway.Healthy}})
	p.report(l, slipway.HealthChanged{Health: slipway.Health{State: slipway.Unhealthy, Reason: "it crashed"}})
	if got := p.told(d.ID, 9); got != "10:READY/unhealthy" {
		t.Errorf("of a change of health: %s", got)
	}
	failed := p.push(d.ID)
	p.report(l, slipway.BuildStarted{Revision: failed.ID}, slipway.RevisionFailed{Revision: failed.ID, Failure: slipway.Failure{Phase: "build", Code: "c", Message: "m"}})
	events, err := p.Events(t.Context(), p.who, d.ID, 15)
	if err != nil || len(events) != 1 || events[0].Revision.ID != failed.ID || events[0].Revision.Message != "m" || events[0].Revision.Failure.Code != "c" {
		t.Errorf("of a failure: %+v, %v", events, err)
	}
	_, err = p.Patch(t.Context(), p.who, d.ID, slipway.Change{DisplayName: new("App")})
	must(t, err)
	if got := p.told(d.ID, 16); got != "" {
		t.Errorf("of a display name: %s", got)
	}
}

// What follows the last event seen comes, each once, or a snapshot.
func TestEventsResume(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	p.push(d.ID)
	head := p.head(d.ID)
	for after, want := range map[int64]string{
		-1: "reset", 0: "revision", head - 1: "deployment", head + 1: "reset", 1 << 60: "reset",
	} {
		events, err := p.Events(t.Context(), p.who, d.ID, after)
		if err != nil || string(events[0].Kind) != want {
			t.Errorf("after %d of %d: %+v, %v, want %s", after, head, events, err, want)
		}
	}
	must(t, p.store.Update(t.Context(), func(tx slipway.Tx) error {
		return tx.AppendEvents(d.ID, slices.Repeat([]slipway.StatusEvent{{Kind: slipway.EventDeployment}}, 2*slipway.EventsKept))
	}))
	if got := p.told(d.ID, 1); !strings.HasPrefix(got, fmt.Sprintf("%d:reset:READY/", head+2*slipway.EventsKept)) {
		t.Errorf("after an event whose followers are not kept: %s", got)
	}
	if got := p.told(d.ID, head+2*slipway.EventsKept-250); strings.Count(got, " ") != 249 {
		t.Errorf("after an event whose followers are kept, in batches: %d", strings.Count(got, " ")+1)
	}
}

func TestEventsWake(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	next := make(chan string)
	go func() {
		after := int64(0)
		for {
			events, err := p.Events(t.Context(), p.who, d.ID, after)
			if err != nil {
				next <- err.Error()
				return
			}
			after = events[len(events)-1].Sequence
			next <- brief(events[len(events)-1])
		}
	}()
	p.push(d.ID)
	if got := <-next; got != "4:READY/" {
		t.Errorf("after a push: %s", got)
	}
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	p.coordinate()
	testsignal.Until(t, "the end of the events", func() bool { return strings.Contains(<-next, "not found") })
}

// Another server writes to the same store, and wakes nobody here.
func TestEventsOfAnotherServer(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	follower := service.New(p.store, nil, nil, nil, service.Config{FollowEvery: 5 * time.Millisecond, URL: func(string) string { return "" }})
	told := make(chan error)
	go func() {
		_, err := follower.Events(t.Context(), p.who, d.ID, 0)
		told <- err
	}()
	p.push(d.ID)
	must(t, <-told)
}

func TestEventsOfAnotherWorkspace(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	other := slipway.Principal{Workspace: slipway.NewID[slipway.WorkspaceID](p.clock())}
	if _, err := p.Events(t.Context(), other, d.ID, -1); slipway.CodeOf(err) != slipway.CodeNotFound {
		t.Errorf("another workspace: %v", err)
	}
}
