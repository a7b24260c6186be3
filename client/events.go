package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/internal/backoff"
)

// silentFor is how long a stream of events may show no sign of life: the server
// sends one every 15 s.
const silentFor = 45 * time.Second

var betweenStreams = backoff.Exponential{First: 250 * time.Millisecond, Most: 4 * time.Second}

// StatusEvent says what happened to a deployment. Which field is set is told by
// its kind.
type StatusEvent struct {
	ID         string                // to go on from; "" of the last one
	Kind       string                // deployment, revision, reset or deleted
	Deployment *wire.DeploymentEvent // of deployment and reset
	Revision   *wire.RevisionEvent   // of revision; of reset the newest, if there is one
}

// Events yields what happens to a deployment, each change once and in order,
// until nothing is left of it: the last event is deleted. The first one is
// reset, with everything as it is; another comes where events were missed. A
// connection that ends is made again. It ends after an error, such as that of
// a server that has no events (404, 501).
func (c *Client) Events(ctx context.Context, deployment string) iter.Seq2[StatusEvent, error] {
	return c.EventsAfter(ctx, deployment, "")
}

// EventsAfter is Events that goes on after an event by its id.
func (c *Client) EventsAfter(ctx context.Context, deployment, id string) iter.Seq2[StatusEvent, error] {
	return c.events(ctx, deployment, id, func() {})
}

// events calls lost whenever a connection has ended.
func (c *Client) events(ctx context.Context, deployment, last string, lost func()) iter.Seq2[StatusEvent, error] {
	return func(yield func(StatusEvent, error) bool) {
		f := follower{Client: c, deployment: deployment, last: last, met: last != ""}
		for {
			goOn, err := f.follow(ctx, yield)
			lost()
			if err == nil && goOn {
				err = pause(ctx, betweenStreams.After(max(f.tries, 1)))
			}
			if err != nil {
				yield(StatusEvent{}, err)
			}
			if err != nil || !goOn {
				return
			}
		}
	}
}

// follower goes on where its last connection ended.
type follower struct {
	*Client
	deployment, last string
	met              bool      // the server knows the deployment
	tries            int       // since the last event
	away             time.Time // since when no connection can be made
}

var (
	errNoEvents = errors.New("the server has no stream of events")
	errSilent   = errors.New("the stream of events has gone silent")
)

// follow yields the events of one connection, and says whether to make another.
// An error is final.
func (f *follower) follow(ctx context.Context, yield func(StatusEvent, error) bool) (goOn bool, err error) {
	f.tries++
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	silence := time.AfterFunc(silentFor, func() { cut(errSilent) })
	defer silence.Stop()
	body, err := f.connect(ctx)
	switch {
	case f.met && IsNotFound(err):
		yield(StatusEvent{Kind: "deleted"}, nil)
		return false, nil
	case err != nil:
		return f.forgive(err)
	}
	defer body.Close()
	for raw, err := range Events(&alive{body, silence}) {
		if err != nil {
			break // the connection's, which says nothing of the next one
		}
		event, err := statusEvent(raw)
		if err != nil {
			return false, err
		}
		f.met, f.tries, f.last = true, 0, event.ID
		if !yield(event, nil) || event.Kind == "deleted" {
			return false, nil
		}
	}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, errSilent) {
		return false, err
	}
	return true, nil
}

func (f *follower) connect(ctx context.Context) (io.ReadCloser, error) {
	q := url.Values{}
	if f.last != "" {
		q.Set("last_event_id", f.last)
	}
	resp, err := f.send(ctx, call{method: http.MethodGet, path: deploymentPath(f.deployment) + "/events", query: q})
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		resp.Body.Close()
		return nil, errNoEvents
	}
	f.away = time.Time{}
	return resp.Body, nil
}

// forgive says whether another try is worth it: the server may be restarting.
func (f *follower) forgive(err error) (bool, error) {
	if f.away.IsZero() {
		f.away = time.Now()
	}
	if !temporary(err) || time.Since(f.away) > patience {
		return false, err
	}
	return true, nil
}

// alive puts the end off with every sign of life.
type alive struct {
	io.Reader
	silence *time.Timer
}

func (a *alive) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if n > 0 {
		a.silence.Reset(silentFor)
	}
	return n, err
}

func statusEvent(raw Event) (StatusEvent, error) {
	e := StatusEvent{ID: raw.ID, Kind: raw.Name}
	var to any
	var reset wire.ResetEvent
	switch raw.Name {
	case "deployment":
		e.Deployment = new(wire.DeploymentEvent)
		to = e.Deployment
	case "revision":
		e.Revision = new(wire.RevisionEvent)
		to = e.Revision
	case "reset":
		to = &reset
	default:
		return e, nil
	}
	if err := json.Unmarshal(raw.Data, to); err != nil {
		return e, fmt.Errorf("read event %s: %w", raw.ID, err)
	}
	if raw.Name == "reset" {
		e.Deployment, e.Revision = &reset.Deployment, reset.Revision
	}
	return e, nil
}
