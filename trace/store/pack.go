package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/slipwayhq/slipway/trace"
)

// How a value lies in a column: a byte that says how, then the value.
const (
	plain  = 0
	zipped = 1 // by zstd
	inBlob = 2 // size in bytes as an uvarint, then the blob's name
	quick  = 3 // by S2
)

// From how many bytes on a value is compressed, and from how many on by zstd. Most
// values are small, and for those zstd takes a third of all that intake does, for
// a quarter of the disk.
const (
	worthwhile = 128
	worthMore  = 4 << 10
)

// Both are for use by many at once.
var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(trace.MaxValue))
)

var errPacked = errors.New("a stored value is broken")

// pack makes a column of a value; nil of none.
func pack(c trace.Content) []byte {
	switch {
	case c.Blob != "":
		return append(binary.AppendUvarint([]byte{inBlob}, uint64(c.Size)), c.Blob...)
	case c.Inline == nil:
		return nil
	case len(c.Inline) >= worthMore:
		return encoder.EncodeAll(c.Inline, append(make([]byte, 0, len(c.Inline)/2+64), zipped))
	case len(c.Inline) >= worthwhile:
		b := make([]byte, 1+s2.MaxEncodedLen(len(c.Inline)))
		b[0] = quick
		if n := len(s2.Encode(b[1:], c.Inline)); n < len(c.Inline) {
			return b[:1+n]
		}
	}
	return append([]byte{plain}, c.Inline...)
}

func unpack(b []byte) (trace.Content, error) {
	if len(b) == 0 {
		return trace.Content{}, nil
	}
	switch rest := b[1:]; b[0] {
	case plain:
		return trace.Inline(append([]byte{}, rest...)), nil
	case quick:
		text, err := s2.Decode(nil, rest)
		if err != nil {
			return trace.Content{}, fmt.Errorf("%w: %w", errPacked, err)
		}
		return trace.Inline(text), nil
	case zipped:
		text, err := decoder.DecodeAll(rest, nil)
		if err != nil {
			return trace.Content{}, fmt.Errorf("%w: %w", errPacked, err)
		}
		return trace.Inline(text), nil
	case inBlob:
		if size, n := binary.Uvarint(rest); n > 0 {
			return trace.Content{Blob: string(rest[n:]), Size: int64(size)}, nil
		}
	}
	return trace.Content{}, errPacked
}

// How an order lies in its column: a byte that says how, then its steps with 24
// bytes each. The last step mostly is what the run's own columns hold. An order
// that is not written as the SDKs write it is kept as it is.
const (
	asText   = 0
	asSteps  = 1
	butLast  = 2
	stepSize = 8 + len(trace.ID{})
)

func packOrder(r *trace.Run) []byte {
	if r.Order == "" {
		return nil
	}
	steps, err := r.Order.Steps()
	if err != nil || !r.Order.Plain() {
		return append([]byte{asText}, r.Order...)
	}
	b := append(make([]byte, 0, 1+len(steps)*stepSize), asSteps)
	if last := len(steps) - 1; steps[last] == (trace.Step{Start: r.Start, ID: r.ID}) {
		b[0], steps = butLast, steps[:last]
	}
	for _, s := range steps {
		b = append(binary.BigEndian.AppendUint64(b, uint64(micros(s.Start))), s.ID[:]...)
	}
	return b
}

func orderOf(steps []trace.Step) (o trace.Order) {
	for _, s := range steps {
		o = o.With(s.Start, s.ID)
	}
	return o
}

// unpackOrder is for a run whose other columns have been read.
func unpackOrder(b []byte, r *trace.Run) trace.Order {
	if len(b) == 0 {
		return ""
	}
	if b[0] == asText {
		return trace.Order(b[1:])
	}
	var steps []trace.Step
	for rest := b[1:]; len(rest) >= stepSize; rest = rest[stepSize:] {
		steps = append(steps, trace.Step{Start: moment(int64(binary.BigEndian.Uint64(rest))), ID: trace.ID(rest[8:stepSize])})
	}
	if b[0] == butLast {
		steps = append(steps, trace.Step{Start: r.Start, ID: r.ID})
	}
	return orderOf(steps)
}

func micros(at time.Time) int64 { return at.UnixMicro() }

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
