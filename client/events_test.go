package client_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const eventsRoute = "GET /v2/deployments/d/events"

// stream is a connection that brings those events and ends.
func stream(events ...string) answer {
	var text strings.Builder
	for _, e := range events {
		id, kind, _ := strings.Cut(e, " ")
		data := `{"status":"READY","id":"r"}`
		if kind == "reset" {
			data = `{"deployment":{"status":"READY"},"revision":{"id":"r","status":"QUEUED"}}`
		}
		fmt.Fprintf(&text, "id: %s\nevent: %s\ndata: %s\n\n", id, kind, data)
	}
	return answer{status: 200, kind: "text/event-stream", body: text.String()}
}

func open(a answer) answer {
	a.open = true
	return a
}

func TestStatusEvents(t *testing.T) {
	gone := answer{status: 404, body: `{"detail":"Deployment ID d not found."}`}
	tests := []struct {
		name    string
		answers []answer
		want    string // events, and then an error
		asked   string // queries
	}{
		{"to the end", []answer{stream("3 reset", "4 revision", "5 deployment", "5 deleted")}, "3reset 4revision 5deployment 5deleted", "-"},
		{"made again", []answer{stream("3 reset"), stream(), {err: syscall.ECONNREFUSED}, {status: 503}, stream("4 revision"), stream("5 deleted")}, "3reset 4revision 5deleted", "- 3 3 3 3 4"},
		{"broken off", []answer{open(stream("3 reset")), stream("4 deleted")}, "3reset 4deleted", "- 3"},
		{"gone meanwhile", []answer{stream("3 reset"), gone}, "3reset deleted", "- 3"},
		{"never there", []answer{gone}, "Deployment ID d not found.", "-"},
		{"an older server", []answer{{status: 501, body: `{"detail":"not yet"}`}}, "not yet", "-"},
		{"another vendor's", []answer{{status: 200, body: "<html>", kind: "text/html"}}, "the server has no stream of events", "-"},
		{"revoked", []answer{stream("3 reset"), {status: 401, body: `{"detail":"Invalid API key."}`}}, "3reset Invalid API key.", "- 3"},
		{"not as agreed", []answer{{status: 200, kind: "text/event-stream", body: "id: 1\nevent: revision\ndata: {\n\n"}}, "read event 1: unexpected end of JSON input", "-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := newScript(t, map[string][]answer{eventsRoute: tt.answers})
				var got, asked []string
				for e, err := range c.Events(t.Context(), "d") {
					if err != nil {
						got = append(got, err.Error())
						continue
					}
					got = append(got, e.ID+e.Kind)
					if e.Kind == "reset" && (e.Deployment.Status != "READY" || e.Revision.Status != "QUEUED") ||
						e.Kind == "revision" && e.Revision.ID != "r" || e.Kind == "deployment" && e.Deployment.Status != "READY" {
						t.Errorf("event %+v", e)
					}
				}
				for _, a := range s.asked {
					_, last, ok := strings.Cut(strings.TrimSpace(a), "last_event_id=")
					if !ok {
						last = "-"
					}
					asked = append(asked, last)
				}
				if strings.Join(got, " ") != tt.want || strings.Join(asked, " ") != tt.asked {
					t.Errorf("got %q, asked after %q\nwant %q, %q", got, asked, tt.want, tt.asked)
				}
			})
		})
	}
}

func TestStatusEventsGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := newScript(t, map[string][]answer{eventsRoute: {stream("3 reset"), {err: io.EOF}}})
		begin := time.Now()
		var last error
		for _, err := range c.Events(t.Context(), "d") {
			last = err
		}
		if took := time.Since(begin); !errors.Is(last, io.EOF) || took < 30*time.Second || took > 45*time.Second {
			t.Errorf("got %v after %v", last, took)
		}
	})
}

// Where events come, nobody polls.
func TestWatchIsWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newScript(t, map[string][]answer{
			eventsRoute:                         {open(stream("1 reset"))},
			"GET /v2/deployments/d/revisions/r": {revision("QUEUED"), revision("QUEUED"), revision("QUEUED"), revision("QUEUED", "DEPLOYED")},
		})
		begin := time.Now()
		r, err := c.WatchRevision(t.Context(), "d", "r", func(string, time.Time) {})
		looks := len(slices.DeleteFunc(s.asked, func(a string) bool { return strings.Contains(a, "events") }))
		if took := time.Since(begin); err != nil || r.Status != "DEPLOYED" || looks != 4 || took < 35*time.Second {
			t.Errorf("looked %d times in %s: %s, %v", looks, took, r.Status, err)
		}
	})
}
