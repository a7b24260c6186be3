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

const (
	// floodSize is how much a runaway prints.
	floodSize = 2 << 30
	// floodLeft is how much of it may be left on the disk.
	floodLeft = 96 << 20
)

// flood has an agent print without end while nobody reads. The disk stays free,
// neighbours stay well, offsets stay what they were, and what is lost is known.
func flood(p *place) {
	neighbour := p.serve(p.workload())
	w := p.workload()
	o := p.serve(w)
	done := make(chan int, 1)
	go func() {
		status, _ := p.request(http.MethodPost, o, fmt.Sprintf("/flood?bytes=%d", int64(floodSize)))
		done <- status
	}()
	for peak := int64(0); len(done) == 0; {
		peak = max(peak, p.onDisk(w))
		if p.get(neighbour, "/ok"); peak > floodSize*3/4 {
			p.Fatalf("%d bytes on the disk", peak)
		}
	}
	if status := <-done; status != http.StatusOK {
		p.Fatalf("the flood: %d", status)
	}
	testsignal.Until(p, "the disk to be free", func() bool { return p.onDisk(w) < floodLeft })
	gap := p.gap(w, 0)
	if gap == nil || gap.Lost == 0 || gap.Lost > gap.Until || floodSize-gap.Until > floodLeft {
		p.Fatalf("gap = %+v", gap)
	}
	p.reopen()
	if again := p.gap(w, 0); again == nil || *again != *gap {
		p.Errorf("after a restart %+v, before %+v", again, gap)
	}
	for _, at := range []int64{gap.Until, floodSize - 64} {
		if text := p.output(w, at, 64); !strings.HasPrefix(text, strconv.FormatInt(at, 10)+".") {
			p.Errorf("at %d: %q", at, text)
		}
	}
	p.get(o, "/ok")
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

// onDisk is what the folder of an instance takes on the disk.
func (p *place) onDisk(w slipway.Workload) (total int64) {
	p.Helper()
	err := filepath.WalkDir(p.world.Folder(w.Deployment, w.Instance), func(path string, _ fs.DirEntry, err error) error {
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
