package trace

import (
	"time"

	"github.com/slipwayhq/slipway"
)

// layouts are those in which the SDKs write times; without a zone they mean UTC.
var layouts = [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.DateOnly}

// ParseTime reads a time as the SDKs write it, to the microsecond.
func ParseTime(text string) (time.Time, error) {
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return kept(at)
		}
	}
	return time.Time{}, slipway.Errorf(slipway.CodeInvalid, "Invalid time %q: write it like 2026-03-01T12:00:00.000000Z.", clip(text))
}

// Millis is a time in milliseconds since 1970, as the JavaScript SDK has it.
func Millis(ms float64) (time.Time, error) {
	if ms != ms || ms < -1e15 || ms > 1e15 {
		return time.Time{}, slipway.Errorf(slipway.CodeInvalid, "Invalid time %v: it must be milliseconds since 1970.", ms)
	}
	return kept(time.UnixMicro(int64(ms * 1000)))
}

// kept is a time as it is kept. The year 0 can not be told from none, and those
// after 9999 not be written.
func kept(at time.Time) (time.Time, error) {
	at = at.UTC().Truncate(time.Microsecond)
	if at.Year() < 1 || at.Year() > 9999 || at.IsZero() {
		return time.Time{}, slipway.Errorf(slipway.CodeInvalid, "Invalid time: its year %d is out of range.", at.Year())
	}
	return at, nil
}
