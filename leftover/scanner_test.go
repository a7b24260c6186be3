package leftover_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/leftover"
)

// store knows some deployments, and who has what is shared.
type store struct {
	mu    sync.Mutex
	known map[slipway.DeploymentID]bool
	owned map[string]bool
	err   error
	told  []slipway.Leftover
	then  func() // happens once it has answered
}

func (s *store) Unknown(_ context.Context, things []slipway.Thing) (unknown []slipway.Thing, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.then != nil {
		defer s.then()
	}
	for _, t := range things {
		if known := t.Deployment != "" && s.known[t.Deployment] || t.Deployment == "" && s.owned[t.Ref]; !known {
			unknown = append(unknown, t)
		}
	}
	return unknown, s.err
}

func (s *store) Found(_ context.Context, owner string, leftovers []slipway.Leftover) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if owner != "here" {
		return errors.New("told of " + owner)
	}
	s.told = leftovers
	return nil
}

// place has things.
type place struct {
	things  []slipway.Thing
	err     error // of looking
	stuck   error // of removing
	removed []slipway.DeploymentID
}

func (p *place) Remains(context.Context) ([]slipway.Thing, error) {
	return slices.Clone(p.things), p.err
}

func (p *place) Remove(_ context.Context, d slipway.DeploymentID, things []slipway.Thing) error {
	if p.stuck != nil {
		return p.stuck
	}
	p.removed = append(p.removed, d)
	p.things = slices.DeleteFunc(p.things, func(t slipway.Thing) bool { return slices.Contains(things, t) })
	return nil
}

// setting is a scanner with a clock.
type setting struct {
	*testing.T
	now     time.Time
	log     bytes.Buffer
	count   int
	store   *store
	place   *place
	scanner *leftover.Scanner
}

const known, unknown slipway.DeploymentID = "known", "unknown"

func newSetting(t *testing.T) *setting {
	s := &setting{
		T: t, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		store: &store{known: map[slipway.DeploymentID]bool{known: true}, owned: map[string]bool{"used": true}},
	}
	old := s.now.Add(-48 * time.Hour)
	s.place = &place{things: []slipway.Thing{
		{Kind: slipway.ItemInstance, Ref: "1", Deployment: known, What: "process 1", Since: old},
		{Kind: slipway.ItemInstance, Ref: "2", Deployment: unknown, What: "process 2", Since: old},
		{Kind: slipway.ItemState, Ref: string(unknown), Deployment: unknown, What: "/state", Since: old},
		{Kind: slipway.ItemBundle, Ref: "used", What: "/used", Since: old},
	}}
	s.scanner = leftover.New(s.store, leftover.Config{
		Owner: "here", Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
		Count: func(n int) { s.count = n }, Now: func() time.Time { return s.now },
	}, s.place)
	return s
}

// scan looks after a while, and wants so many leftovers, kept for a reason.
func (s *setting) scan(after time.Duration, n int, why string) {
	s.Helper()
	s.now = s.now.Add(after)
	if err := s.scanner.Scan(s.Context()); err != nil {
		s.Fatal(err)
	}
	if len(s.store.told) != n || s.count != n {
		s.Fatalf("told of %+v, counted %d, want %d", s.store.told, s.count, n)
	}
	for _, l := range s.store.told {
		if !strings.Contains(l.Kept, why) || l.FoundAt.IsZero() {
			s.Errorf("%+v, want it kept since %q", l, why)
		}
	}
}

// In the second look, some time later, it goes; what is known never does.
func TestUnknownGoes(t *testing.T) {
	s := newSetting(t)
	s.scan(0, 2, "found just now")
	s.scan(time.Minute, 2, "found just now")
	if len(s.place.removed) > 0 {
		t.Fatal("removed at once")
	}
	s.scan(time.Hour, 0, "")
	if !slices.Equal(s.place.removed, []slipway.DeploymentID{unknown}) || len(s.place.things) != 2 {
		t.Errorf("removed %v, there is %v", s.place.removed, s.place.things)
	}
	for text, times := range map[string]int{"left over that nobody knows": 2, "leftover removed": 2} {
		if n := strings.Count(s.log.String(), text); n != times {
			t.Errorf("%q was said %d times:\n%s", text, n, &s.log)
		}
	}
}

func TestKept(t *testing.T) {
	for name, c := range map[string]struct {
		why  string
		edit func(*setting)
	}{
		"young":              {"in the making", func(s *setting) { s.place.things[2].Since = s.now.Add(-time.Hour) }},
		"of unknown age":     {"in the making", func(s *setting) { s.place.things[2].Since = time.Time{} }},
		"most are unknown":   {"database", func(s *setting) { delete(s.store.known, known); s.place.things = s.place.things[:3] }},
		"can not be removed": {"permission denied", func(s *setting) { s.place.stuck = errors.New("permission denied") }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetting(t)
			c.edit(s)
			n := 2
			if c.why == "database" {
				n = 3
			}
			s.scan(0, n, "")
			s.scan(time.Hour, n, c.why)
			s.scan(time.Hour, n, c.why)
			if len(s.place.removed) > 0 {
				t.Errorf("removed %v", s.place.removed)
			}
			if said := strings.Count(s.log.String(), "not removed"); said > 1 {
				t.Errorf("said %d times that it was not removed", said)
			}
		})
	}
}

// What stays for a while goes later.
func TestKeptForAWhile(t *testing.T) {
	s := newSetting(t)
	s.place.things[2].Since = time.Time{} // counts from when it was found
	s.place.stuck = errors.New("full")
	s.scan(0, 2, "")
	s.scan(23*time.Hour, 2, "in the making")
	s.scan(2*time.Hour, 2, "full")
	s.place.stuck = nil
	s.scan(time.Hour, 0, "")
}

// What becomes known, or is gone, is left over no more; found again, it begins anew.
func TestKnownAgain(t *testing.T) {
	s := newSetting(t)
	s.scan(0, 2, "")
	s.store.known[unknown] = true
	s.scan(time.Hour, 0, "")
	delete(s.store.known, unknown)
	s.scan(time.Hour, 2, "found just now")
	if len(s.place.removed) > 0 {
		t.Errorf("removed %v", s.place.removed)
	}
}

// What becomes known after it was looked at, and before it is removed, stays.
func TestKnownInTheLastMoment(t *testing.T) {
	s := newSetting(t)
	s.scan(0, 2, "")
	s.store.then = func() { s.store.known[unknown] = true }
	s.scan(time.Hour, 2, "it is known now")
	if len(s.place.removed) > 0 {
		t.Errorf("removed %v", s.place.removed)
	}
	s.scan(time.Hour, 0, "")
}

// What is shared goes when it has been nobody's for long.
func TestShared(t *testing.T) {
	s := newSetting(t)
	s.place.things = s.place.things[3:]
	s.store.owned = map[string]bool{}
	s.scan(0, 1, "may need it again")
	s.scan(71*time.Hour, 1, "may need it again")
	s.scan(2*time.Hour, 0, "")
}

// A place that tells less than all loses nothing that was found there, and
// nothing that it did not tell of is removed.
func TestSilentPlace(t *testing.T) {
	s := newSetting(t)
	s.scan(0, 2, "")
	there := s.place.things
	s.place.things, s.place.err = there[:1], errors.New("the engine does not answer")
	s.scan(time.Hour, 2, "did not tell")
	s.scan(time.Hour, 2, "did not tell")
	if n := strings.Count(s.log.String(), "does not answer"); n != 1 || len(s.place.removed) > 0 {
		t.Errorf("said %d times, removed %v", n, s.place.removed)
	}
	s.place.things, s.place.err = there, nil
	s.scan(time.Hour, 0, "")
}

// A store that does not answer is no reason to remove anything.
func TestStoreFails(t *testing.T) {
	s := newSetting(t)
	s.scan(0, 2, "")
	s.store.err = errors.New("no database")
	s.now = s.now.Add(time.Hour)
	if err := s.scanner.Scan(t.Context()); err == nil || len(s.place.removed) > 0 {
		t.Errorf("Scan = %v, removed %v", err, s.place.removed)
	}
}

// It looks soon after it is set to work, and then about every hour.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := make(chan time.Time, 100)
		place := counted{looks}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		begin := time.Now()
		go func() {
			leftover.New(&store{}, leftover.Config{Owner: "here"}, place).Run(ctx)
			close(done)
		}()
		for least, most := 30*time.Second, 90*time.Second; least < 10*time.Hour; least, most = least+30*time.Minute, most+90*time.Minute {
			if at := (<-looks).Sub(begin); at < least || at > most {
				t.Errorf("looked after %v, want between %v and %v", at, least, most)
			}
		}
		cancel()
		<-done
	})
}

type counted struct{ looks chan time.Time }

func (c counted) Remains(context.Context) ([]slipway.Thing, error) {
	c.looks <- time.Now()
	return nil, nil
}

func (c counted) Remove(context.Context, slipway.DeploymentID, []slipway.Thing) error { return nil }
