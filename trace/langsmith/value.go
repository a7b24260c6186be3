package langsmith

import (
	"bytes"
	"context"
	"errors"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// largeValue is the size of a value, in bytes, from which on it is not held in
// memory.
const largeValue = 1 << 20

// readValue reads the JSON of a part. What is no JSON is refused, since it would
// spoil the answers that it is in; what is no UTF-8 is read as U+FFFD.
func (in *intake) readValue(ctx context.Context, part io.Reader, size int64) (trace.Content, error) {
	head, whole, err := in.readHead(part, size)
	if err != nil {
		return trace.Content{}, err
	}
	if whole {
		return inline(head)
	}
	text := transform.NewReader(io.MultiReader(bytes.NewReader(head), part), unicode.UTF8.NewDecoder())
	return in.put(ctx, &checked{from: text})
}

// readError reads the JSON of an error, which is never large: what is cut off is not
// kept anyway.
func (in *intake) readError(_ context.Context, part io.Reader, size int64) (trace.Content, error) {
	head, whole, err := in.readHead(part, size)
	if err != nil {
		return trace.Content{}, err
	}
	if whole {
		return inline(head)
	}
	if err := in.body.hold(int64(len(head))); err != nil {
		return trace.Content{}, err
	}
	return trace.Inline(ended(head)), nil
}

// ended ends a text in JSON that was cut, maybe within an escape.
func ended(head []byte) []byte {
	const longestEscape = len(`\u0000`)
	for cut := range longestEscape {
		text := append(bytes.Clone(head[:len(head)-cut]), `…"`...)
		if isJSON(text) {
			return text
		}
	}
	return head // no text, or no JSON: it is kept as it is
}

// readFile reads an attachment.
func (in *intake) readFile(ctx context.Context, part io.Reader, size int64) (trace.Content, error) {
	head, whole, err := in.readHead(part, size)
	if err != nil {
		return trace.Content{}, err
	}
	if whole {
		return trace.Inline(head), nil
	}
	return in.put(ctx, io.MultiReader(bytes.NewReader(head), part))
}

// readHead reads the beginning of a part, and says whether it is all.
func (in *intake) readHead(part io.Reader, size int64) (head []byte, whole bool, err error) {
	var b bytes.Buffer
	b.Grow(int(min(max(size, 0), largeValue)) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(part, largeValue))
	if err != nil {
		return nil, false, unreadable(err)
	}
	if n == largeValue {
		return b.Bytes(), false, nil // it goes to the disk
	}
	return b.Bytes(), true, in.body.hold(n)
}

// put keeps a large value until the runs are written.
func (in *intake) put(ctx context.Context, r io.Reader) (trace.Content, error) {
	read := &remembering{from: &roomy{from: r, room: in.h.Room}}
	c, err := in.h.Runs.Put(ctx, read)
	if read.err != nil { // the sender's doing
		return trace.Content{}, unreadable(read.err)
	}
	if err == nil && c.Blob != "" {
		in.large[c.Blob] = c
	}
	return c, err
}

// askRoomEvery is how many bytes of a value go to the disk before it is looked
// again whether there is room.
const askRoomEvery = 16 << 20

// roomy fails when the disk has no room any more: requests that begin together may
// bring more than each of them finds.
type roomy struct {
	from io.Reader
	room func() error
	left int64
}

func (r *roomy) Read(p []byte) (int, error) {
	if r.left <= 0 {
		if err := r.room(); err != nil {
			return 0, err
		}
		r.left = askRoomEvery
	}
	n, err := r.from.Read(p)
	r.left -= int64(n)
	return n, err
}

// inline is JSON in memory; null is none.
func inline(text []byte) (trace.Content, error) {
	text = bytes.TrimSpace(text)
	if string(text) == "null" {
		return trace.Content{}, nil
	}
	if !isJSON(text) {
		return trace.Content{}, errNoJSON
	}
	return trace.Inline(text), nil
}

var errNoJSON = slipway.Errorf(slipway.CodeInvalid, "it is no JSON")

// remembering keeps the error of a reader, to tell it from a writer's.
type remembering struct {
	from io.Reader
	err  error
}

func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}
