package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// T is given to a case: it asks the server, and writes down what differs.
type T struct {
	*session
	ctx        context.Context
	last       string // the request that was sent last
	mismatches []Mismatch
	made       []thing
}

// stopped ends a case that can not go on.
type stopped struct{}

// lacking ends a case that turns out to lack what it needs.
type lacking struct{ reason string }

// wrong writes down a difference; the case goes on.
func (t *T) wrong(want, seen string) {
	t.mismatches = append(t.mismatches, Mismatch{Request: t.last, Want: want, Seen: t.redact(seen)})
}

// stop writes down a difference after which nothing more can be said.
func (t *T) stop(want, seen string) {
	t.wrong(want, seen)
	panic(stopped{})
}

// notRun ends the case: it can not be run on this server.
func (t *T) notRun(reason string) { panic(lacking{reason}) }

// check writes down a difference unless ok.
func (t *T) check(ok bool, want string, seen any) {
	if !ok {
		t.wrong(want, show(seen))
	}
}

// between is how long a poll waits before it asks again.
const between = 100 * time.Millisecond

// until asks again and again, and stops the case when it is not so in time.
func (t *T) until(want string, seen func() (string, bool)) {
	end := time.Now().Add(t.options.Patience)
	for {
		is, ok := seen()
		if ok {
			return
		}
		if time.Now().After(end) {
			t.stop(fmt.Sprintf("%s within %s", want, t.options.Patience), is)
		}
		if !t.pause(between) {
			t.stop(want, "interrupted")
		}
	}
}

// pause waits, and says whether the run still goes on.
func (t *T) pause(d time.Duration) bool {
	select {
	case <-t.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// most is how much of an answer is shown.
const most = 400

// show writes a value as JSON, cut.
func show(v any) string {
	text, ok := v.(string)
	if !ok {
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		text = string(raw)
	}
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
