package accesslog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/gateway/accesslog"
)

var quiet = slog.New(slog.DiscardHandler)

// disk is a writer that waits, or fails.
type disk struct {
	began, goOn chan struct{}
	fail        bool

	mu   sync.Mutex
	text strings.Builder
}

func (d *disk) Write(b []byte) (int, error) {
	if d.began != nil {
		d.began <- struct{}{}
		<-d.goOn
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail {
		d.fail = false
		return 0, errors.New("no space left")
	}
	return d.text.Write(b)
}

// lines returns how many records were written, and how many are said to have
// been dropped.
func lines(t *testing.T, text string) (records, dropped int) {
	t.Helper()
	for line := range strings.Lines(text) {
		var v struct {
			Time    time.Time
			Dropped int
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.Time.IsZero() {
			t.Fatalf("%q: %v", line, err)
		}
		if dropped += v.Dropped; v.Dropped == 0 {
			records++
		}
	}
	return records, dropped
}

func record(i int) accesslog.Record {
	return accesslog.Record{Time: time.Unix(int64(i+1), 0), Path: fmt.Sprint("/", i)}
}

// While the disk stands still nobody waits, and what was dropped is counted.
func TestASlowDisk(t *testing.T) {
	d := &disk{began: make(chan struct{}), goOn: make(chan struct{})}
	l := accesslog.New(d, quiet)
	l.Write(record(0))
	<-d.began
	const n = 100_000
	for i := range n {
		l.Write(record(i))
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	d.goOn <- struct{}{}
	for done := false; !done; {
		select {
		case <-d.began:
			d.goOn <- struct{}{}
		case <-ended:
			done = true
		}
	}
	records, dropped := lines(t, d.text.String())
	if records+dropped != n+1 || dropped == 0 || records < 8192 {
		t.Errorf("%d written and %d dropped of %d", records, dropped, n+1)
	}
}

func TestAFullDisk(t *testing.T) {
	d := &disk{began: make(chan struct{}), goOn: make(chan struct{}), fail: true}
	l := accesslog.New(d, quiet)
	for i := range 2 {
		l.Write(record(i))
		<-d.began
		d.goOn <- struct{}{}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if records, dropped := lines(t, d.text.String()); records != 1 || dropped != 1 {
		t.Errorf("%d written, %d dropped: %s", records, dropped, d.text.String())
	}
}

func TestOpenAppendsAndReopens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	for range 2 {
		l, err := accesslog.Open(path, quiet)
		if err != nil {
			t.Fatal(err)
		}
		l.Write(record(1))
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	count := func(path string) int {
		text, err := os.ReadFile(path)
		if err != nil {
			return -1
		}
		n, _ := lines(t, string(text))
		return n
	}
	if n := count(path); n != 2 {
		t.Errorf("%d lines", n)
	}
	l, err := accesslog.Open(path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	l.Reopen()
	for count(path) < 0 { // made by the log
		<-time.After(time.Millisecond)
	}
	l.Write(record(2))
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if old, now := count(path+".1"), count(path); old != 2 || now != 1 {
		t.Errorf("%d lines in the old file, %d in the new one", old, now)
	}
}

func TestOpenFails(t *testing.T) {
	if _, err := accesslog.Open(t.TempDir(), quiet); err == nil {
		t.Error("a folder was opened")
	}
}

func BenchmarkWrite(b *testing.B) {
	l := accesslog.New(&disk{}, quiet)
	defer l.Close()
	b.ReportAllocs()
	r := record(1)
	for b.Loop() {
		l.Write(r)
	}
}
