package drivertest

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// floodLeft is how much may be left on the disk of what a runaway printed.
const floodLeft = 96 << 20

// flood has an agent print without end while nobody reads. The disk stays free,
// neighbours stay well, the last words are there, and without an engine between
// offsets stay what they were, and what is lost is known.
func flood(p *place) {
	neighbour := p.serve(p.workload())
	w, size := p.workload(), p.world.Flood
	o := p.serve(w)
	done := make(chan int, 1)
	go func() {
		status, _ := p.request(http.MethodPost, o, fmt.Sprintf("/flood?bytes=%d", size))
		done <- status
	}()
	for peak := int64(0); len(done) == 0; {
		peak = max(peak, p.onDisk(w))
		if p.get(neighbour, "/ok"); peak > size*3/4 {
			p.Fatalf("%d bytes on the disk", peak)
		}
	}
	if status := <-done; status != http.StatusOK {
		p.Fatalf("the flood: %d", status)
	}
	testsignal.Until(p, "the disk to be free", func() bool { return p.onDisk(w) < floodLeft })
	last, from := p.endOfFlood(w), int64(0)
	gap := p.gap(w, 0)
	if gap != nil {
		from = gap.Until
	}
	if last-from > floodLeft || gap != nil && (gap.Lost == 0 || gap.Lost > gap.Until) {
		p.Fatalf("gap = %+v, the last line at %d", gap, last)
	}
	p.reopen()
	if again := p.gap(w, 0); (again == nil) != (gap == nil) || gap != nil && *again != *gap {
		p.Errorf("after a restart %+v, before %+v", again, gap)
	}
	if text := p.output(w, last, 64); !strings.HasPrefix(text, strconv.FormatInt(size-64, 10)+".") {
		p.Errorf("the last line: %q", text)
	}
	if p.world.EngineLog == nil {
		if text := p.output(w, from, 64); last != size-64 || gap == nil || !strings.HasPrefix(text, strconv.FormatInt(from, 10)+".") {
			p.Errorf("at %d: %q, the last line at %d, gap %+v", from, text, last, gap)
		}
	}
	p.get(o, "/ok")
}

// endOfFlood waits for the last line of a flood, and says where it is.
func (p *place) endOfFlood(w slipway.Workload) (at int64) {
	p.Helper()
	testsignal.Until(p, "the last line", func() bool {
		text, err := p.driver.Output(p.Context(), w.Deployment, w.Instance, at, 1<<20)
		if gap, ok := errors.AsType[*slipway.OutputGap](err); ok {
			at = gap.Until
			return false
		}
		p.try(err)
		if strings.Contains(string(text), "\n"+strconv.FormatInt(p.world.Flood-64, 10)+".") {
			at += int64(len(text)) - 64
			return true
		}
		at += int64(len(text))
		return false
	})
	return at
}

// gap is what Output says in place of a text, nil if there is one.
func (p *place) gap(w slipway.Workload, at int64) *slipway.OutputGap {
	p.Helper()
	_, err := p.driver.Output(p.Context(), w.Deployment, w.Instance, at, 64)
	gap, ok := errors.AsType[*slipway.OutputGap](err)
	if err != nil && !ok {
		p.Fatalf("Output: %v", err)
	}
	return gap
}

// onDisk is what the folder of an instance takes on the disk, with what an engine
// keeps of its output.
func (p *place) onDisk(w slipway.Workload) (total int64) {
	p.Helper()
	if p.world.EngineLog != nil {
		total = p.sizeOf(p.world.EngineLog(p, w))
	}
	return total + p.sizeOf(p.world.Folder(w.Deployment, w.Instance))
}

func (p *place) sizeOf(folder string) (total int64) {
	p.Helper()
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		var stat syscall.Stat_t
		if err != nil || syscall.Lstat(path, &stat) != nil {
			return nil // it is being replaced
		}
		total += stat.Blocks * 512
		return nil
	})
	p.try(err)
	return total
}

// trims gives back what was read; the rest keeps its offsets, the reason of an
// end its last words.
func trims(p *place) {
	const size = 8 << 20
	w := p.workload()
	o := p.serve(w)
	t, ok := p.driver.(slipway.Trimmer)
	if !ok {
		p.Skip("this driver keeps no output on a disk of its own")
	}
	p.post(o, fmt.Sprintf("/flood?bytes=%d", size))
	testsignal.Until(p, "all of it", func() bool { return len(p.output(w, size-64, 64)) == 64 })
	before := p.onDisk(w)
	p.try(t.Trim(p.Context(), w.Deployment, w.Instance, size))
	if after := p.onDisk(w); after > before-size+1<<20 {
		p.Errorf("%d bytes on the disk, %d before", after, before)
	}
	if gap := p.gap(w, 0); gap == nil || gap.Lost != 0 {
		p.Errorf("gap = %+v", gap)
	}
	at := int64(size - 64)
	if text := p.output(w, at, 64); !strings.HasPrefix(text, strconv.FormatInt(at, 10)+".") {
		p.Errorf("at %d: %q", at, text)
	}
	p.post(o, "/exit?code=3")
	if e := p.exited(w).Exit; !strings.Contains(e.Reason, strconv.FormatInt(at, 10)) {
		p.Errorf("reason %.200q", e.Reason)
	}
}
