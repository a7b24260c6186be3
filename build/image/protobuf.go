package image

import (
	"encoding/binary"
	"errors"
)

// The engine speaks protocol buffers in two places, of which a handful of fields
// matters; so there is no generated code.

// Wire types.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

var errMalformed = errors.New("malformed protocol buffer")

// fields calls visit with every field of a message: its number, and its value as
// an integer or as bytes, whichever it has.
func fields(message []byte, visit func(number int, integer uint64, bytes []byte) error) error {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return errMalformed
		}
		integer, bytes, rest, err := value(int(tag&7), message[n:])
		if err != nil {
			return err
		}
		if err := visit(int(tag>>3), integer, bytes); err != nil {
			return err
		}
		message = rest
	}
	return nil
}

func value(wire int, from []byte) (integer uint64, bytes, rest []byte, err error) {
	skip := 0
	switch wire {
	case wire64:
		skip = 8
	case wire32:
		skip = 4
	case wireVarint, wireBytes:
		if integer, skip = binary.Uvarint(from); skip <= 0 {
			return 0, nil, nil, errMalformed
		}
	default:
		return 0, nil, nil, errMalformed
	}
	if len(from) < skip {
		return 0, nil, nil, errMalformed
	}
	rest = from[skip:]
	if wire != wireBytes {
		return integer, nil, rest, nil
	}
	if uint64(len(rest)) < integer {
		return 0, nil, nil, errMalformed
	}
	return 0, rest[:integer], rest[integer:], nil
}

// bytesField is one field of a message.
func bytesField(number int, content []byte) []byte {
	field := binary.AppendUvarint(nil, uint64(number)<<3|wireBytes)
	return append(binary.AppendUvarint(field, uint64(len(content))), content...)
}

func varintField(number int, content uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(number)<<3|wireVarint), content)
}
