package reconcile

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
)

// desk gets the lines of a build log.
type desk struct {
	mu    sync.Mutex
	lines []slipway.LogLine
	sends int
	slow  time.Duration
	err   error
}

func (d *desk) send(lines []slipway.LogLine) error {
	time.Sleep(d.slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sends++
	if d.err == nil {
		d.lines = append(d.lines, lines...)
	}
	return d.err
}

func (d *desk) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b strings.Builder
	for _, l := range d.lines {
		b.WriteString(l.Message + "|")
	}
	return b.String()
}

func (d *desk) breaks(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

func logging(t *testing.T, test func(*desk, *buildLog)) {
	synctest.Test(t, func(*testing.T) {
		d := &desk{}
		test(d, newBuildLog(slipway.LogLine{Origin: "build", Kind: slipway.BuildLog, Level: "INFO"}, time.Now, d.send))
	})
}

func TestBuildLogSendsLinesTogether(t *testing.T) {
	logging(t, func(d *desk, b *buildLog) {
		began := time.Now()
		io.WriteString(b, "one\ntw")
		io.WriteString(b, "o\r\n\nthr")
		time.Sleep(flushAfter - time.Millisecond)
		if d.text() != "" {
			t.Errorf("sent at once: %s", d.text())
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if d.text() != "one|two||" || d.sends != 1 {
			t.Errorf("after a while: %s in %d", d.text(), d.sends)
		}
		b.Close()
		if d.text() != "one|two||thr|" || d.sends != 2 {
			t.Errorf("at the end: %s in %d", d.text(), d.sends)
		}
		for i, end := range []int64{4, 9, 10, 14} {
			if l := d.lines[i]; l.Offset != end || l.Origin != "build" || l.Kind != slipway.BuildLog || !l.At.Equal(began) && i < 3 {
				t.Errorf("line %d: %+v, want it to end at %d", i, l, end)
			}
		}
	})
}

func TestBuildLogOfNothing(t *testing.T) {
	logging(t, func(d *desk, b *buildLog) {
		b.Close()
		if d.sends != 0 {
			t.Error("nothing was sent")
		}
	})
}

// Sending takes longer than lines need to come: they arrive in order all the
// same, and all of them before Close returns.
func TestBuildLogKeepsTheOrder(t *testing.T) {
	logging(t, func(d *desk, b *buildLog) {
		d.slow = time.Second
		var want strings.Builder
		for n := range 50 {
			fmt.Fprintf(b, "%d\n", n)
			fmt.Fprintf(&want, "%d|", n)
			time.Sleep(130 * time.Millisecond)
		}
		b.Close()
		if d.text() != want.String() {
			t.Errorf("arrived: %s", d.text())
		}
	})
}

// A build that prints without end, in lines or without, is held back.
func TestBuildLogIsBounded(t *testing.T) {
	logging(t, func(d *desk, b *buildLog) {
		io.WriteString(b, strings.Repeat("x", 10*longestLine+5))
		if len(b.rest) >= longestLine {
			t.Errorf("%d bytes wait", len(b.rest))
		}
		io.WriteString(b, "\n"+strings.Repeat("y\n", 5*mostLines))
		if len(b.lines) >= mostLines+longestLine/2 {
			t.Errorf("%d lines wait", len(b.lines))
		}
		b.Close()
		if n := strings.Count(d.text(), "x"); n != 10*longestLine+5 {
			t.Errorf("%d of a long line arrived", n)
		}
		if n := strings.Count(d.text(), "y|"); n != 5*mostLines {
			t.Errorf("%d lines arrived", n)
		}
		last := int64(-1)
		for _, l := range d.lines {
			if l.Offset <= last {
				t.Fatalf("offset %d after %d", l.Offset, last)
			}
			last = l.Offset
		}
	})
}

func TestBuildLogTriesAgain(t *testing.T) {
	logging(t, func(d *desk, b *buildLog) {
		d.breaks(errors.New("disk full"))
		io.WriteString(b, "one\n")
		time.Sleep(10 * time.Second)
		io.WriteString(b, "two\n")
		d.breaks(nil)
		time.Sleep(10 * time.Second)
		if d.text() != "one|two|" {
			t.Errorf("arrived: %s", d.text())
		}
		if d.sends > 15 {
			t.Errorf("%d tries in ten seconds", d.sends)
		}
		d.breaks(errors.New("disk full"))
		for n := range 3 * mostLines {
			fmt.Fprintf(b, "%d\n", n)
		}
		if len(b.lines) > mostLines {
			t.Errorf("%d lines wait", len(b.lines))
		}
		b.Close()
	})
}
