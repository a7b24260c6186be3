package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/slipwayhq/slipway"
)

// A page of slots is a version and, for each run of equal slots, how many slots
// lie between it and the one before, how many more there are of it, and the
// numbers of one. All are unsigned varints; a 0 among the numbers is followed by
// how many more there are. Most numbers are 0, and most slots of an idle
// deployment are equal: a busy slot takes up to 100 bytes, an idle hour some 20.
const slotsVersion = 3

// How many numbers of a slot a version has: those of the version before, of
// databases since 2, of Redis since 3.
const (
	numbersOf1 = 3 + 3 + 7*3 + len(slipway.LatencyBounds) + 1
	numbersOf2 = numbersOf1 + 1 + 2*3
	numbersOf3 = numbersOf2 + 1 + 2*3
)

var errSlots = errors.New("measurements are not as they were written")

func encodeSlots(slots []slipway.Measurement, page time.Time, step time.Duration) []byte {
	raw, end := []byte{slotsVersion}, int64(0)
	for i := 0; i < len(slots); {
		n := 1
		for i+n < len(slots) && follows(slots[i+n], slots[i], time.Duration(n)*step) {
			n++
		}
		begin := int64(slots[i].At.Sub(page) / step)
		raw = binary.AppendUvarint(raw, uint64(begin-end))
		raw = binary.AppendUvarint(raw, uint64(n-1))
		raw = appendNumbers(raw, numbersOf(slots[i]))
		i, end = i+n, begin+int64(n)
	}
	return raw
}

// follows says whether a is the same as b but for being so much later.
func follows(a, b slipway.Measurement, later time.Duration) bool {
	if !a.At.Equal(b.At.Add(later)) {
		return false
	}
	a.At = b.At
	return a == b
}

func decodeSlots(raw []byte, page time.Time, step time.Duration) ([]slipway.Measurement, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var count int
	switch raw[0] {
	case 1:
		count = numbersOf1
	case 2:
		count = numbersOf2
	case slotsVersion:
		count = numbersOf3
	default:
		return nil, fmt.Errorf("%w: version %d", errSlots, raw[0])
	}
	r := reader{rest: raw[1:]}
	var slots []slipway.Measurement
	for end := uint64(0); len(r.rest) > 0; {
		begin := end + r.next()
		end = begin + r.next() + 1
		m := measurement(r.numbers(count))
		if r.broken || end > slotsPerPage || begin >= end {
			return nil, errSlots
		}
		for i := begin; i < end; i++ {
			m.At = page.Add(time.Duration(i) * step)
			slots = append(slots, m)
		}
	}
	return slots, nil
}

// reader takes numbers from the front of what is left.
type reader struct {
	rest   []byte
	broken bool
}

func (r *reader) next() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.rest, r.broken = nil, true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// numbers takes the first count numbers of a slot.
func (r *reader) numbers(count int) (n numbers) {
	for i := 0; i < count && !r.broken; i++ {
		if n[i] = r.next(); n[i] != 0 {
			continue
		}
		more := r.next()
		if more >= uint64(count-i) {
			r.broken = true
			return n
		}
		i += int(more)
	}
	return n
}

func appendNumbers(raw []byte, n numbers) []byte {
	for i := 0; i < len(n); i++ {
		raw = binary.AppendUvarint(raw, n[i])
		if n[i] != 0 {
			continue
		}
		first := i
		for i+1 < len(n) && n[i+1] == 0 {
			i++
		}
		raw = binary.AppendUvarint(raw, uint64(i-first))
	}
	return raw
}

// numbers are those of a slot, in an order that is part of the format.
type numbers [numbersOf3]uint64

func numbersOf(m slipway.Measurement) numbers {
	n := numbers{
		uint64(m.Covered.Milliseconds()), uint64((m.Covered - m.InUse).Milliseconds()), uint64((m.Covered - m.Told).Milliseconds()),
		m.Requests, m.Errors, m.Restarts,
	}
	at := putLevels(n[6:], levels(&m))
	at = at[copy(at, m.Latency[:]):]
	at[0] = uint64(m.Sized.Milliseconds())
	at = putLevels(at[1:], databaseLevels(&m))
	at[0] = uint64(m.Beside.Milliseconds())
	putLevels(at[1:], redisLevels(&m))
	return n
}

func measurement(n numbers) slipway.Measurement {
	ms := func(n uint64) time.Duration { return time.Duration(n) * time.Millisecond }
	m := slipway.Measurement{Covered: ms(n[0]), InUse: ms(n[0] - n[1]), Told: ms(n[0] - n[2]), Requests: n[3], Errors: n[4], Restarts: n[5]}
	at := takeLevels(n[6:], levels(&m))
	at = at[copy(m.Latency[:], at):]
	m.Sized = ms(at[0])
	at = takeLevels(at[1:], databaseLevels(&m))
	m.Beside = ms(at[0])
	takeLevels(at[1:], redisLevels(&m))
	return m
}

// putLevels writes levels and returns what comes after them. Of a level that does
// not change the last two numbers are 0.
func putLevels(at []uint64, levels []spanned) []uint64 {
	for _, l := range levels {
		at[0], at[1], at[2] = l.Max, l.Max-l.Min, l.Sum-l.Min*uint64(l.over.Milliseconds())
		at = at[3:]
	}
	return at
}

func takeLevels(at []uint64, levels []spanned) []uint64 {
	for _, l := range levels {
		l.Max, l.Min = at[0], at[0]-at[1]
		l.Sum = at[2] + l.Min*uint64(l.over.Milliseconds())
		at = at[3:]
	}
	return at
}

// spanned is a level with the time that it was measured.
type spanned struct {
	*slipway.Level
	over time.Duration
}

func levels(m *slipway.Measurement) []spanned {
	return []spanned{
		{&m.CPU, m.InUse},
		{&m.Memory, m.InUse},
		{&m.Replicas, m.Covered},
		{&m.InFlight, m.Covered},
		{&m.Waiting, m.Covered},
		{&m.Pending, m.Told},
		{&m.Running, m.Told},
	}
}

func databaseLevels(m *slipway.Measurement) []spanned {
	return []spanned{{&m.Size, m.Sized}, {&m.Connections, m.Sized}}
}

func redisLevels(m *slipway.Measurement) []spanned {
	return []spanned{{&m.RedisCPU, m.Beside}, {&m.RedisMemory, m.Beside}}
}
