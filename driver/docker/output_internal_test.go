package docker // a stream is cut at places that no engine can be asked for

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// message is one as an engine keeps it.
type message struct {
	at   int64
	text string
}

// encode writes messages since a time as an engine sends them.
func encode(messages []message, since string) []byte {
	var b bytes.Buffer
	for _, m := range messages {
		if since != "" && stamp(time.Unix(0, m.at)) < since {
			continue
		}
		text := time.Unix(0, m.at).UTC().Format("2006-01-02T15:04:05.000000000Z07:00") + " " + m.text
		header := [8]byte{1}
		binary.BigEndian.PutUint32(header[4:], uint32(len(text)))
		b.Write(header[:])
		b.WriteString(text)
	}
	return b.Bytes()
}

// Whatever part of the engine's log a server copied before it died, and whether
// or not the mark of the last message was written: the next goes on behind it.
func TestOutputGoesOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		folder, err := os.MkdirTemp("", "slipway-output-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(folder)
		var want strings.Builder
		for attempt := range rapid.IntRange(1, 3).Draw(t, "attempts") {
			messages := drawMessages(t)
			for range rapid.IntRange(0, 5).Draw(t, "deaths") {
				o := &output{folder: folder}
				copyOnce(t, o, attempt+1, messages, rapid.IntRange(0, 400).Draw(t, "cut"))
				appendUnmarked(t, o)
			}
			o := &output{folder: folder}
			copyOnce(t, o, attempt+1, messages, -1)
			if got := o.began(attempt + 1); len(messages) > 0 && got != int64(want.Len()) {
				t.Fatalf("attempt %d begins at %d, want %d", attempt+1, got, want.Len())
			}
			for _, m := range messages {
				want.WriteString(m.text)
			}
			got, err := o.read(0, 1<<20)
			if err != nil || string(got) != want.String() {
				t.Fatalf("output %q, %v, want %q", got, err, want.String())
			}
		}
	})
}

func drawMessages(t *rapid.T) (messages []message) {
	at := int64(1700000000_000000000)
	for n := range rapid.IntRange(0, 12).Draw(t, "messages") {
		at += int64(rapid.SampledFrom([]int{0, 0, 1, 1_000_000_000}).Draw(t, "later"))
		messages = append(messages, message{at: at, text: fmt.Sprintf("line %d\n", n)})
	}
	return messages
}

// copyOnce copies until the stream is cut; never if cut is negative.
func copyOnce(t *rapid.T, o *output, attempt int, messages []message, cut int) {
	since, err := o.begin(attempt)
	if err != nil {
		t.Fatal(err)
	}
	stream := encode(messages, since)
	if cut >= 0 {
		stream = stream[:min(cut, len(stream))]
	}
	if err := o.copy(bytes.NewReader(stream)); err != nil && cut < 0 {
		t.Fatal(err)
	}
}

// appendUnmarked leaves what a death between a message and its mark does.
func appendUnmarked(t *rapid.T, o *output) {
	f, err := os.OpenFile(o.path(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("torn"); err != nil {
		t.Fatal(err)
	}
}

func TestListed(t *testing.T) {
	for line, want := range map[string]bool{
		"   0: 00000000:1F40 00000000:0000 0A 0 0 0 0 0 0":                                                 true,
		"   0: 0100007F:1F40 00000000:0000 0A 0 0 0 0 0 0":                                                 false, // only it itself reaches it
		"   0: 0200A8C0:1F40 00000000:0000 0A 0 0 0 0 0 0":                                                 true,
		"   0: 00000000:1F40 0100007F:9999 01 0 0 0 0 0 0":                                                 false, // a connection
		"   0: 00000000:1F41 00000000:0000 0A 0 0 0 0 0 0":                                                 false,
		"   0: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 0 0 0 0 0 0": true,
		"   0: 00000000000000000000000001000000:1F40 00000000000000000000000000000000:0000 0A 0 0 0 0 0 0": false,
		"   0: 0000000000000000FFFF00000100007F:1F40 00000000000000000000000000000000:0000 0A 0 0 0 0 0 0": false,
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt":                      false,
		"": false,
	} {
		if got := listed(line+"\n", 8000); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}
