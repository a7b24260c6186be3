package wire

import (
	"fmt"
	"strings"
	"time"
)

// Time prints as RFC 3339 in UTC with exactly six digits of fraction, and reads any RFC 3339.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000000Z"

// NewTime returns t for the wire.
func NewTime(t time.Time) Time { return Time{t} }

// String returns the text that goes on the wire.
func (t Time) String() string { return t.UTC().Format(timeLayout) }

// MarshalJSON cuts what is finer than a microsecond.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.String() + `"`), nil
}

// MarshalText is MarshalJSON without quotes.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalJSON takes any RFC 3339 text.
func (t *Time) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	if text == "null" {
		return nil
	}
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return fmt.Errorf("wire: %s is not a time", text)
	}
	return t.UnmarshalText([]byte(strings.Trim(text, `"`)))
}

// UnmarshalText takes any RFC 3339 text.
func (t *Time) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return fmt.Errorf("wire: %w", err)
	}
	t.Time = parsed.UTC()
	return nil
}
