package leftover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

// Store knows the deployments; slipway.Sync is one.
type Store interface {
	Unknown(ctx context.Context, things []slipway.Thing) ([]slipway.Thing, error)
	Found(ctx context.Context, owner string, leftovers []slipway.Leftover) error
}

// Config is how a scanner goes about it. What is unset has its default.
type Config struct {
	Owner  string
	Every  time.Duration // from one look to the next, about; 1 h
	Age    time.Duration // of what is removed, at least; 24 h
	Shared time.Duration // that what deployments share must be nobody's; 72 h
	Count  func(int)     // is told how many leftovers there are; nil for nobody
	Logger *slog.Logger
	Now    func() time.Time
}

func (c Config) withDefaults() Config {
	for field, value := range map[*time.Duration]time.Duration{&c.Every: time.Hour, &c.Age: 24 * time.Hour, &c.Shared: 72 * time.Hour} {
		if *field <= 0 {
			*field = value
		}
	}
	if c.Count == nil {
		c.Count = func(int) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Scanner looks through places.
type Scanner struct {
	store  Store
	places []Place
	config Config

	mu    sync.Mutex       // held over a look
	found map[key]*finding // what was left over in the last look
	said  map[int]string   // what was last said of a place that does not tell
}

// key names what is removed at once: what a place has of a deployment, or one
// thing that is shared.
type key struct {
	place      int
	deployment slipway.DeploymentID
	kind       slipway.ItemKind // of what is shared
	ref        string
}

// finding is what nobody knows.
type finding struct {
	key
	things []slipway.Thing
	at     time.Time // of the first look that found it
	looks  int
	failed string // why it could not be removed
}

// New returns a scanner.
func New(s Store, config Config, places ...Place) *Scanner {
	return &Scanner{store: s, places: places, config: config.withDefaults(), found: map[key]*finding{}, said: map[int]string{}}
}

// Run looks soon, and then again and again, until ctx ends.
func (s *Scanner) Run(ctx context.Context) {
	for wait := s.config.Every / 60; pause(ctx, wait/2+rand.N(wait)); wait = s.config.Every {
		if err := s.Scan(ctx); err != nil && ctx.Err() == nil {
			s.config.Logger.Error("no look at what is left over", slog.Any("error", err))
		}
	}
}

func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// Scan looks once, removes what is to go and tells what is left.
func (s *Scanner) Scan(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	things := s.remains(ctx)
	unknown, census, err := s.unknown(ctx, things)
	if err != nil {
		return err
	}
	s.note(unknown)
	var left []slipway.Leftover
	for _, f := range s.found {
		kept := "its place did not tell of it this time"
		if _, seen := unknown[f.key]; seen {
			kept = s.config.verdict(*f, census, s.config.Now())
		}
		if kept == "" {
			if kept = s.remove(ctx, f); kept == "" {
				delete(s.found, f.key)
				continue
			}
		}
		for _, t := range f.things {
			left = append(left, slipway.Leftover{Thing: t, FoundAt: f.at, Kept: kept})
		}
	}
	s.config.Count(len(left))
	return s.store.Found(ctx, s.config.Owner, left)
}

// remains asks every place. Of one that does not tell, what was found stays as it
// was.
func (s *Scanner) remains(ctx context.Context) [][]slipway.Thing {
	all := make([][]slipway.Thing, len(s.places))
	for n, place := range s.places {
		things, err := place.Remains(ctx)
		all[n] = things
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != s.said[n] && text != "" && ctx.Err() == nil {
			s.config.Logger.Warn("not all is told that may be left over", slog.Any("error", err))
		}
		s.said[n] = text
	}
	return all
}

// census counts deployments of which there is something.
type census struct{ known, unknown int }

// unknown asks the store, and gathers what it does not know.
func (s *Scanner) unknown(ctx context.Context, things [][]slipway.Thing) (map[key][]slipway.Thing, census, error) {
	of := map[slipway.DeploymentID]bool{} // known
	left := map[key][]slipway.Thing{}
	for n, there := range things {
		unknown, err := s.store.Unknown(ctx, there)
		if err != nil {
			return nil, census{}, fmt.Errorf("ask who knows what remains: %w", err)
		}
		for _, t := range there {
			if t.Deployment != "" {
				of[t.Deployment] = true
			}
		}
		for _, t := range unknown {
			k := keyOf(n, t)
			left[k] = append(left[k], t)
		}
	}
	for k := range left {
		if k.deployment != "" {
			of[k.deployment] = false
		}
	}
	var c census
	for _, known := range of {
		if known {
			c.known++
		} else {
			c.unknown++
		}
	}
	return left, c, nil
}

func keyOf(place int, t slipway.Thing) key {
	if t.Deployment != "" {
		return key{place: place, deployment: t.Deployment}
	}
	return key{place: place, kind: t.Kind, ref: t.Ref}
}

// note compares with what was found before, and says once what is new.
func (s *Scanner) note(unknown map[key][]slipway.Thing) {
	for k := range s.found {
		if _, still := unknown[k]; !still && s.said[k.place] == "" {
			delete(s.found, k)
		}
	}
	for k, things := range unknown {
		f := s.found[k]
		if f == nil {
			f = &finding{key: k, at: s.config.Now()}
			s.found[k] = f
			for _, t := range things {
				s.config.Logger.Warn("something is left over that nobody knows", f.attributes(t)...)
			}
		}
		f.things = things
		f.looks++
	}
}

func (f *finding) attributes(t slipway.Thing) []any {
	return []any{slog.String("deployment", string(t.Deployment)), slog.String("kind", string(t.Kind)), slog.String("what", t.What), slog.Time("since", t.Since)}
}

// verdict says why something is left where it is, "" if it is to go.
func (c Config) verdict(f finding, all census, now time.Time) string {
	if all.unknown > all.known {
		return fmt.Sprintf("%d deployments are unknown and %d known: the database may not be the right one", all.unknown, all.known)
	}
	if f.deployment == "" && now.Sub(f.at) < c.Shared {
		return "it is kept for who may need it again, until " + f.at.Add(c.Shared).UTC().Format(time.RFC3339)
	}
	if f.looks < 2 || now.Sub(f.at) < c.Every/2 {
		return "it was found just now, and is looked at again"
	}
	for _, t := range f.things {
		since := t.Since
		if since.IsZero() {
			since = f.at
		}
		if old := since.Add(c.Age); now.Before(old) {
			return "it may be in the making: it goes when it is old, at " + old.UTC().Format(time.RFC3339)
		}
	}
	return ""
}

// remove asks once more, removes, and returns what went wrong.
func (s *Scanner) remove(ctx context.Context, f *finding) (failed string) {
	err := s.stillUnknown(ctx, f)
	if err == nil {
		err = s.places[f.place].Remove(ctx, f.deployment, f.things)
	}
	if err == nil {
		for _, t := range f.things {
			s.config.Logger.Info("leftover removed", f.attributes(t)...)
		}
		return ""
	}
	if failed = "it could not be removed: " + err.Error(); failed != f.failed && ctx.Err() == nil {
		s.config.Logger.Warn("leftover not removed, it is tried again", append(f.attributes(f.things[0]), slog.Any("error", err))...)
	}
	f.failed = failed
	return failed
}

var errKnown = errors.New("it is known now")

func (s *Scanner) stillUnknown(ctx context.Context, f *finding) error {
	unknown, err := s.store.Unknown(ctx, f.things)
	if err == nil && len(unknown) < len(f.things) {
		err = errKnown
	}
	return err
}
