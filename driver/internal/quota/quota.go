// Package quota bounds what instances keep on a disk where the file system does
// not: they are looked at, and ended when they keep too much.
//
// To look costs time, which the agents decide upon by how many files they make.
// So a round of looks is followed by a rest many times as long, and is brought
// forward only when the disk has filled so fast that somebody may have come to
// its limit, or when there is less left than is to be kept. In between an agent
// can write more than it may.
//
// When there is less left than is to be kept, the instance that has grown most
// since there was enough is ended too, whatever its limit, if it has grown by a
// good part of the reserve. So who fills the disk is ended and nobody else.
package quota

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/disk"
)

// Tenant is an instance that runs.
type Tenant struct {
	ID    slipway.InstanceID
	Limit int64 // bytes that it may keep, 0 for any number
	// Used says how much it keeps, up to about most.
	Used func(ctx context.Context, most int64) (int64, error)
	// End ends it and remembers why, a sentence for people.
	End func(ctx context.Context, why string)
}

// Watch looks at tenants until ctx ends: at once, so that whoever comes later is
// known to have kept nothing before, and then again and again.
func Watch(ctx context.Context, reserve disk.Reserve, tenants func() []Tenant) {
	tick := time.NewTicker(looksAtMost)
	defer tick.Stop()
	w := watch{reserve: reserve.Bytes}
	for p := (pace{}); ctx.Err() == nil; {
		space, err := disk.SpaceOf(reserve.Folder)
		now, all := time.Now(), tenants()
		if err == nil && p.due(now, space.Free, space.Free < reserve.Bytes || w.hasNew(all)) {
			room := w.round(ctx, space.Free, all)
			p = pace{ended: time.Now(), cost: time.Since(now), free: space.Free, room: room}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

const (
	// looksAtMost is how often there is a round when it is urgent, looksAtLeast
	// when it is not.
	looksAtMost, looksAtLeast = time.Second, 10 * time.Second
	// A rest lasts so many times as long as the round before it.
	rests, restsWhenUrgent = 50, 10
)

// pace is what the last round has left behind.
type pace struct {
	ended time.Time
	cost  time.Duration
	free  int64 // on the disk before it
	room  int64 // what the tenant that was nearest to its limit had left
}

// due says whether it is time for another round, which may be urgent.
func (p pace) due(now time.Time, free int64, urgent bool) bool {
	rested := now.Sub(p.ended)
	if rested >= max(looksAtLeast, rests*p.cost) {
		return true
	}
	urgent = urgent || p.free-free >= p.room/2
	return urgent && rested >= max(looksAtMost, restsWhenUrgent*p.cost)
}

// watch remembers how much tenants kept when there was enough left. Who came
// since kept nothing then; who comes when there is too little is taken as it is.
type watch struct {
	reserve int64
	base    map[slipway.InstanceID]int64
	calm    bool // in the last round there was enough left
}

// hasNew says whether there is a tenant that was not looked at in the last round.
func (w *watch) hasNew(tenants []Tenant) bool {
	for _, t := range tenants {
		if _, known := w.base[t.ID]; !known {
			return true
		}
	}
	return false
}

// round looks at every tenant, ends those that keep too much, and says how near
// the others are to that.
func (w *watch) round(ctx context.Context, free int64, tenants []Tenant) (room int64) {
	low, room := free < w.reserve, math.MaxInt64
	base, grown := map[slipway.InstanceID]int64{}, int64(0)
	var greediest *Tenant
	for _, t := range tenants {
		most := int64(math.MaxInt64)
		if t.Limit > 0 {
			most = t.Limit
		}
		used, err := t.Used(ctx, most)
		if err != nil {
			continue // it has ended, or is looked at the next time
		}
		if used > most {
			t.End(ctx, fmt.Sprintf("It kept more than the %d MiB on the disk that it may, and was ended for it.", t.Limit>>20))
			continue
		}
		room = min(room, most-used)
		before, known := w.base[t.ID]
		if !low || !known && !w.calm {
			before = used
		}
		base[t.ID] = before
		if used-before > grown {
			greediest, grown = &t, used-before
		}
	}
	w.base, w.calm = base, !low
	if greediest != nil && grown >= w.reserve/blamed {
		delete(base, greediest.ID) // its next attempt is not blamed for what it finds
		greediest.End(ctx, fmt.Sprintf("The disk of the server was almost full: %d MiB were free. It had written most of late, %d MiB, and was ended for it.", free>>20, grown>>20))
	}
	return room
}

// blamed is the part of the reserve that an instance must have grown by to be
// ended for a full disk.
const blamed = 4
