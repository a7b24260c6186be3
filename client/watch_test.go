package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// revision is an answer with a history of those statuses, a second apart.
func revision(statuses ...string) answer {
	var history []string
	for i, s := range statuses {
		history = append(history, fmt.Sprintf(`{"status":%q,"at":"2026-01-02T03:04:%02d.000000Z"}`, s, i))
	}
	return ok(`{"id":"r","status":%q,"status_history":[%s]}`, statuses[len(statuses)-1], strings.Join(history, ","))
}

func TestWatchRevision(t *testing.T) {
	plain := func(status string) answer { return ok(`{"status":%q,"status_history":[]}`, status) }
	away := answer{err: io.EOF}
	tests := []struct {
		name    string
		answers []answer
		want    []string
	}{
		{
			"misses nothing between two looks",
			[]answer{revision("QUEUED"), revision("QUEUED", "AWAITING_BUILD", "BUILDING"), revision("QUEUED", "AWAITING_BUILD", "BUILDING", "AWAITING_DEPLOY", "DEPLOYING", "DEPLOYED")},
			[]string{"QUEUED", "AWAITING_BUILD", "BUILDING", "AWAITING_DEPLOY", "DEPLOYING", "DEPLOYED"},
		},
		{"repeats nothing", []answer{revision("QUEUED"), revision("QUEUED"), revision("QUEUED", "SKIPPED")}, []string{"QUEUED", "SKIPPED"}},
		{"has ended before", []answer{revision("QUEUED", "INTERRUPTED")}, []string{"QUEUED", "INTERRUPTED"}},
		{"fails", []answer{revision("BUILDING", "BUILD_FAILED")}, []string{"BUILDING", "BUILD_FAILED"}},
		{"a server without history", []answer{plain("QUEUED"), plain("QUEUED"), plain("DEPLOYED")}, []string{"QUEUED", "DEPLOYED"}},
		{"the server restarts", slices.Concat([]answer{revision("QUEUED")}, slices.Repeat([]answer{away}, 8), []answer{revision("QUEUED", "DEPLOYED")}), []string{"QUEUED", "DEPLOYED"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, c := newScript(t, map[string][]answer{"GET /v2/deployments/d/revisions/r": tt.answers})
				var got []string
				r, err := c.WatchRevision(t.Context(), "d", "r", func(status string, at time.Time) {
					got = append(got, status)
				})
				if err != nil || !slices.Equal(got, tt.want) || r.Status != tt.want[len(tt.want)-1] {
					t.Errorf("got %v, ended %s, %v\nwant %v", got, r.Status, err, tt.want)
				}
			})
		})
	}
}

// Looks come often at first and after a change, and every two seconds at last.
func TestWatchPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newScript(t, map[string][]answer{"GET /v2/deployments/d/revisions/r": {revision("BUILDING")}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := c.WatchRevision(ctx, "d", "r", func(string, time.Time) {})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if n := len(s.asked); n < 30 || n > 45 {
			t.Errorf("looked %d times in a minute", n)
		}
	})
}

func TestWatchGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := newScript(t, map[string][]answer{"GET /v2/deployments/d/revisions/r": {{status: 500, body: `{"detail":"broken"}`}}})
		begin := time.Now()
		_, err := c.WatchRevision(t.Context(), "d", "r", func(string, time.Time) {})
		if took := time.Since(begin); err == nil || err.Error() != "broken" || took < 30*time.Second || took > 45*time.Second {
			t.Errorf("got %v after %v", err, took)
		}
	})
}

func TestWaitGone(t *testing.T) {
	there := ok(`{"status":"AWAITING_DELETE"}`)
	synctest.Test(t, func(t *testing.T) {
		s, c := newScript(t, map[string][]answer{"GET /v2/deployments/d": {there, there, {status: 404, body: `{"detail":"gone"}`}}})
		if err := c.WaitGone(t.Context(), "d"); err != nil || len(s.asked) != 3 {
			t.Errorf("asked %d times, %v", len(s.asked), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		_, c := newScript(t, map[string][]answer{"GET /v2/deployments/d": {{status: 401, body: `{"detail":"Invalid API key."}`}}})
		if err := c.WaitGone(t.Context(), "d"); err == nil || client.IsNotFound(err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWaitServing(t *testing.T) {
	there := func(health string) answer { return ok(`{"id":"d","active_revision_id":"r","health":%s}`, health) }
	away := answer{status: 503, body: `{"detail":"starting"}`} // for longer than a call is tried
	for want, answers := range map[string][]answer{
		"healthy":   {there("null"), there(`{"state":"restarting"}`), away, away, away, away, there(`{"state":"healthy"}`)},
		"asleep":    {there(`{"state":"asleep"}`)},
		"unhealthy": {there("null"), there(`{"state":"unhealthy"}`)},
		"":          {ok(`{"id":"d","active_revision_id":null,"health":null}`)},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, c := newScript(t, map[string][]answer{"GET /v2/deployments/d": answers})
			last, err := c.WaitServing(t.Context(), "d")
			state := ""
			if last.Health != nil {
				state = last.Health.State
			}
			if err != nil || state != want || len(s.asked) != len(answers) {
				t.Errorf("%s: asked %d times, then %q, %v", want, len(s.asked), state, err)
			}
		})
	}
}

// What has not changed is not told again, and a deletion that can be taken back
// rests.
func TestWatchDeletion(t *testing.T) {
	item := func(more string) answer {
		return ok(`{"state":"stopping","items":[{"kind":"instance","ref":"i"%s}],"keep":[]}`, more)
	}
	const removed, verified = `,"removed_at":"2026-01-02T03:04:05Z"`, `,"removed_at":"2026-01-02T03:04:05Z","verified_at":"2026-01-02T03:04:06Z"`
	for _, state := range []string{"kept", "done"} {
		synctest.Test(t, func(t *testing.T) {
			_, c := newScript(t, map[string][]answer{"GET /v1/deletions/d": {
				item(""), item(""), item(`,"attempts":1,"error":"busy"`), item(`,"attempts":1,"error":"busy"`),
				{status: 503, body: `{"detail":"starting"}`},
				item(removed), item(verified), ok(`{"state":"%s","items":[],"keep":[]}`, state),
			}})
			var told []string
			last, err := c.WatchDeletion(t.Context(), "d", func(d wire.Deletion) {
				text := d.State
				for _, i := range d.Items {
					text += fmt.Sprint(" ", i.Attempts, i.RemovedAt != nil, i.VerifiedAt != nil)
				}
				told = append(told, text)
			})
			want := []string{"stopping 0 false false", "stopping 1 false false", "stopping 0 true false", "stopping 0 true true", state}
			if err != nil || last.State != state || !slices.Equal(told, want) {
				t.Errorf("told %q, then %s, %v", told, last.State, err)
			}
		})
	}
	_, c := newScript(t, map[string][]answer{"GET /v1/deletions/d": {{status: 404, body: `{"detail":"Deployment ID d not found."}`}}})
	if _, err := c.WatchDeletion(t.Context(), "d", func(wire.Deletion) { t.Error("told of nothing") }); !client.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}
