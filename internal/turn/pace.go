package turn

import (
	"sync/atomic"
	"time"
)

// Work that nobody waits for goes on for breath, and then pauses for twice as long: a
// kernel lets whoever runs go on for some milliseconds, whatever came up meanwhile,
// unless it stops by itself.
const (
	breath = 150 * time.Microsecond
	rest   = 2 * breath
)

// Pace is that of such work, from its begin on.
type Pace struct {
	began  time.Time
	rested atomic.Int64 // when it last paused, in nanoseconds since it began
}

// Begin returns the pace of work that begins now.
func Begin() *Pace { return &Pace{began: time.Now()} }

// Breathe pauses if the last pause is so long ago that what waits for a processor
// should have one now. It is called between bits of work.
func (p *Pace) Breathe() {
	if p.worked() >= breath {
		p.Rest()
	}
}

// Rest pauses, however long ago the last pause is: before a bit of work that is
// longer than most.
func (p *Pace) Rest() {
	time.Sleep(rest)
	p.rested.Store(int64(time.Since(p.began)))
}

func (p *Pace) worked() time.Duration { return time.Since(p.began) - time.Duration(p.rested.Load()) }
