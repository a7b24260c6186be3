package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

const (
	// heartbeat is how often a stream shows that it lives, and its key is looked
	// at again.
	heartbeat = 15 * time.Second
	// writeWithin bounds how long a client may take to read what is sent.
	writeWithin = 30 * time.Second
	// streamsPerKey bounds the streams of one key at a time.
	streamsPerKey = 64
)

type requestContext struct{}

// withRequest lets the operation that streams see its request; others get by
// with what is bound.
func withRequest(next wire.StrictHandlerFunc, operation string) wire.StrictHandlerFunc {
	if operation != "StreamEvents" {
		return next
	}
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, in any) (any, error) {
		return next(context.WithValue(ctx, requestContext{}, r), w, r, in)
	}
}

// streams counts those of each key, and of each person that an identity provider
// vouches for.
type streams struct {
	mu   sync.Mutex
	open map[string]int
}

func holder(p slipway.Principal) string { return cmp.Or(string(p.Key), p.Subject) }

func (s *streams) begin(holder string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[holder] >= streamsPerKey {
		return slipway.Errorf(slipway.CodeRateLimited, "There are %d streams of events open with this key already.", streamsPerKey)
	}
	if s.open == nil {
		s.open = map[string]int{}
	}
	s.open[holder]++
	return nil
}

func (s *streams) end(holder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[holder]--; s.open[holder] == 0 {
		delete(s.open, holder)
	}
}

// StreamEvents answers before anything has happened, so that its client knows
// that it is heard.
func (s *server) StreamEvents(ctx context.Context, r wire.StreamEventsRequestObject) (wire.StreamEventsResponseObject, error) {
	id := slipway.DeploymentID(r.DeploymentID)
	if _, err := s.Control.Get(ctx, principal(ctx), id); err != nil {
		return nil, err
	}
	if err := s.streams.begin(holder(principal(ctx))); err != nil {
		return nil, err
	}
	request, _ := ctx.Value(requestContext{}).(*http.Request)
	last := value(r.Params.LastEventID)
	if last == "" {
		last = value(r.Params.LastEventIDQuery)
	}
	return &eventStream{server: s, ctx: ctx, request: request, deployment: id, last: lastEvent(last)}, nil
}

// lastEvent is the sequence in an id; what is none asks for a reset, as its
// absence does.
func lastEvent(id string) int64 {
	sequence, err := strconv.ParseInt(id, 10, 64)
	if err != nil || sequence < 0 {
		return -1
	}
	return sequence
}

// eventStream writes what happens to a deployment, until its client goes, its
// key is revoked, the server stops or nothing is left of the deployment.
type eventStream struct {
	*server
	ctx        context.Context
	request    *http.Request
	deployment slipway.DeploymentID
	last       int64 // sequence of the last event written
	out        http.ResponseWriter
}

// VisitStreamEventsResponse implements wire.StreamEventsResponseObject. Once
// the stream has begun there is nobody to tell of an error: it ends.
func (e *eventStream) VisitStreamEventsResponse(w http.ResponseWriter) error {
	defer e.streams.end(holder(principal(e.ctx)))
	e.out = w
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // a proxy that gathers would hold events back
	w.WriteHeader(http.StatusOK)
	if e.request.Method == http.MethodHead || e.write("retry: 1000\n\n") != nil {
		return nil
	}
	ctx, stop := context.WithCancel(e.ctx)
	defer stop()
	defer context.AfterFunc(e.Stopping, stop)()
	for e.next(ctx) {
	}
	return nil
}

// next writes what happens until the next heartbeat, and says whether there is
// a reason to go on.
func (e *eventStream) next(ctx context.Context) bool {
	beat, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	for {
		events, err := e.Control.Events(beat, principal(ctx), e.deployment, e.last)
		switch {
		case err == nil:
			if e.writeAll(events) != nil {
				return false
			}
		case slipway.CodeOf(err) == slipway.CodeNotFound:
			_ = e.writeEvent("deleted", "", wire.DeletedEvent{ID: string(e.deployment)}) // the end in any case
			return false
		case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			return e.allowed() && e.write(": still here\n\n") == nil
		default:
			return false
		}
	}
}

// allowed looks at the key again. What is no answer about the key is no reason
// to end.
func (e *eventStream) allowed() bool {
	_, err := e.Keys.Authenticate(e.request.Context(), e.caller(e.request, false))
	code := slipway.CodeOf(err)
	return code != slipway.CodeUnauthenticated && code != slipway.CodeForbidden
}

func (e *eventStream) writeAll(events []slipway.StatusEvent) error {
	for _, event := range events {
		if err := e.writeEvent(string(event.Kind), strconv.FormatInt(event.Sequence, 10), presentEvent(event)); err != nil {
			return err
		}
		e.last = event.Sequence
	}
	return nil
}

func (e *eventStream) writeEvent(name, id string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	var text strings.Builder
	if id != "" {
		fmt.Fprintf(&text, "id: %s\n", id)
	}
	fmt.Fprintf(&text, "event: %s\ndata: %s\n\n", name, body)
	return e.write(text.String())
}

// write sends text at once, and gives up on a client that does not read.
func (e *eventStream) write(text string) error {
	c := http.NewResponseController(e.out)
	_ = c.SetWriteDeadline(time.Now().Add(writeWithin)) // where there are none, nothing is bounded
	if _, err := e.out.Write([]byte(text)); err != nil {
		return err
	}
	return c.Flush()
}

func presentEvent(e slipway.StatusEvent) any {
	switch e.Kind {
	case slipway.EventDeployment:
		return presentState(e.State, e.At)
	case slipway.EventRevision:
		return presentRevisionState(e.Revision, e.At)
	}
	reset := wire.ResetEvent{Deployment: presentState(e.State, e.At)}
	if e.Revision.ID != "" {
		reset.Revision = new(presentRevisionState(e.Revision, e.At))
	}
	return reset
}

func presentState(s slipway.DeploymentState, at time.Time) wire.DeploymentEvent {
	return wire.DeploymentEvent{
		Status: string(s.Status), Health: presentHealth(s.Health), At: wire.NewTime(at),
		LatestRevisionID: orNull(string(s.Latest)), ActiveRevisionID: orNull(string(s.Active)),
	}
}

func presentRevisionState(r slipway.RevisionState, at time.Time) wire.RevisionEvent {
	return wire.RevisionEvent{
		ID: string(r.ID), Status: string(r.Status), StatusMessage: orNull(r.Message), Failure: presentFailure(r.Failure), At: wire.NewTime(at),
	}
}
