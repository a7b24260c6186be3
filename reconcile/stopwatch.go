package reconcile

import (
	"log/slog"
	"slices"
	"time"
)

// stopwatch tells what the time goes to while requests are held. Of a hold that
// was begun by who is gone it tells nothing.
type stopwatch struct {
	began, last time.Time
	laps        []lap
}

type lap struct {
	name string
	took time.Duration
}

func (s *stopwatch) start(now time.Time) { *s = stopwatch{began: now, last: now} }

func (s *stopwatch) runs() bool { return !s.began.IsZero() }

// lap ends a part. One that is gone on with adds to what it took.
func (s *stopwatch) lap(name string, now time.Time) {
	n := slices.IndexFunc(s.laps, func(l lap) bool { return l.name == name })
	if n < 0 {
		n = len(s.laps)
		s.laps = append(s.laps, lap{name: name})
	}
	s.laps[n].took += now.Sub(s.last)
	s.last = now
}

// stop returns all parts and the whole, and forgets them.
func (s *stopwatch) stop() (attrs []any) {
	for _, l := range s.laps {
		attrs = append(attrs, slog.Duration(l.name, l.took))
	}
	attrs = append(attrs, slog.Duration("held", s.last.Sub(s.began)))
	*s = stopwatch{}
	return attrs
}
