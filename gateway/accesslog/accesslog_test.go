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

func TestLines(t *testing.T) {
	for _, path := range []string{"/d/app/x", `/"\`, "/\x00\n\x7f", "/\xff", "/ü", ""} {
		var d disk
		l := accesslog.New(&d, quiet)
		r := accesslog.Record{
			Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600)), Method: "GET", Path: path, Status: 200,
			Bytes: 7, Duration: 61*time.Second + 5*time.Microsecond, FirstByte: 999_999 * time.Microsecond,
		}
		l.Write(r)
		r.Held, r.Cut, r.Key = time.Millisecond, true, "k"
		l.Write(r)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		text := strings.Split(d.text.String(), "\n")
		var short, long map[string]any
		if err := errors.Join(json.Unmarshal([]byte(text[0]), &short), json.Unmarshal([]byte(text[1]), &long)); err != nil || len(text) != 3 {
			t.Fatalf("%q: %v", text, err)
		}
		if got, _ := short["path"].(string); got != strings.ToValidUTF8(path, "\ufffd") {
			t.Errorf("path %q came as %q", path, got)
		}
		if short["time"] != "2026-01-02T02:04:05.000006Z" || short["duration"] != 61.000005 || short["first_byte"] != 0.999999 || short["bytes"] != 7.0 ||
			short["held"] != nil || short["cut"] != nil || short["key_id"] != nil {
			t.Errorf("%s", text[0])
		}
		if long["held"] != 0.001 || long["cut"] != true || long["key_id"] != "k" {
			t.Errorf("%s", text[1])
		}
	}
}
