package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/journal"
)

const mib = 1 << 20

// line of 32 bytes that names its offset.
func line(at int64) string { return fmt.Sprintf("%031d\n", at) }

// write appends lines up to a size.
func write(t *testing.T, path string, size int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at, _ := f.Seek(0, 2)
	var text bytes.Buffer
	for ; at < size; at += 32 {
		text.WriteString(line(at))
	}
	if _, err := f.Write(text.Bytes()); err != nil {
		t.Fatal(err)
	}
}

func allocated(t *testing.T, path string) int64 {
	t.Helper()
	var stat syscall.Stat_t
	if err := syscall.Stat(path, &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Blocks * 512
}

func read(t *testing.T, path string, at int64) (string, *slipway.OutputGap) {
	t.Helper()
	text, err := journal.Read(path, 1<<40, at, 32)
	gap, ok := errors.AsType[*slipway.OutputGap](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	return string(text), gap
}

// What was read is given back; offsets stay, and nothing is said to be lost.
func TestTrim(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output.log")
	write(t, path, 8*mib)
	if err := journal.Trim(path, 5*mib); err != nil {
		t.Fatal(err)
	}
	if size := allocated(t, path); size > 4*mib {
		t.Errorf("%d bytes on the disk", size)
	}
	if text, gap := read(t, path, 5*mib); text != line(5*mib) || gap != nil {
		t.Errorf("read %q, %+v", text, gap)
	}
	if _, gap := read(t, path, 0); gap == nil || gap.Lost != 0 || gap.Until != 5*mib {
		t.Errorf("gap %+v", gap)
	}
	if err := journal.Trim(path, 8*mib); err != nil {
		t.Fatal(err)
	}
	if text, gap := read(t, path, 8*mib-32); text != line(8*mib-32) || gap != nil {
		t.Errorf("the last words: %q, %+v", text, gap)
	}
	write(t, path, 9*mib)
	if text, _ := read(t, path, 9*mib-32); text != line(9*mib-32) {
		t.Errorf("appended afterwards: %q", text)
	}
}

// What nobody reads is lost beyond a bound; what was read of it is not.
func TestBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output.log")
	write(t, path, 40*mib)
	if lost, err := journal.Bound(path); lost != 0 || err != nil {
		t.Fatalf("lost %d, %v", lost, err)
	}
	if err := journal.Trim(path, 10*mib); err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for size := int64(50 * mib); size <= 400*mib; size += 50 * mib {
		write(t, path, size)
		lost, err := journal.Bound(path)
		if err != nil {
			t.Fatal(err)
		}
		if total += lost; allocated(t, path) > 65*mib {
			t.Fatalf("%d bytes on the disk", allocated(t, path))
		}
	}
	_, gap := read(t, path, 10*mib)
	if gap == nil || gap.Lost == 0 || gap.Lost != gap.Until-10*mib {
		t.Fatalf("gap %+v, lost %d", gap, total)
	}
	if text, again := read(t, path, gap.Until); text != line(gap.Until) || again != nil {
		t.Errorf("after the gap: %q, %+v", text, again)
	}
	if _, half := read(t, path, gap.Until/2/32*32); half == nil || half.Lost >= gap.Lost || half.Until != gap.Until {
		t.Errorf("from the middle: %+v, of %+v", half, gap)
	}
}

func TestNothingThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	if _, err := journal.Bound(path); err != nil {
		t.Error(err)
	}
	if err := journal.Trim(path, mib); err != nil {
		t.Error(err)
	}
	if text, gap := read(t, path, 0); text != "" || gap != nil {
		t.Errorf("%q, %+v", text, gap)
	}
}
