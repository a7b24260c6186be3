package trace

import (
	"encoding/hex"

	"github.com/slipwayhq/slipway"
)

// ID is that of a run or a trace, a UUID of any version. A trace has the identity
// of its root run. The zero ID is none.
type ID [16]byte

// ParseID reads a UUID in its text form, in either case and with or without
// hyphens.
func ParseID(text string) (ID, error) {
	digits := make([]byte, 0, 36)
	switch {
	case len(text) == 32:
		digits = append(digits, text...)
	case len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-':
		for _, part := range [...]string{text[:8], text[9:13], text[14:18], text[19:23], text[24:]} {
			digits = append(digits, part...)
		}
	}
	var id ID
	if _, err := hex.Decode(id[:], digits); err == nil && !id.IsZero() {
		return id, nil
	}
	return ID{}, slipway.Errorf(slipway.CodeInvalid, "Invalid run id %q: it must be a UUID.", clip(text))
}

// IsZero says whether there is none.
func (id ID) IsZero() bool { return id == ID{} }

// String is the canonical text form.
func (id ID) String() string { return string(id.append(nil)) }

func (id ID) append(b []byte) []byte {
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}

// clip shortens what is quoted in an error.
func clip(text string) string {
	const most = 100
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
