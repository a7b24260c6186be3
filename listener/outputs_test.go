package listener_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/listener"
)

// journal is a control plane that keeps lines as the store does: one that is
// there already is left alone.
type journal struct {
	quiet
	mu    sync.Mutex
	lines []slipway.LogLine
	have  map[int64]bool // offsets: there is one origin
	asked int
	full  bool
}

func (j *journal) Log(_ context.Context, lines []slipway.LogLine) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked++
	if j.full {
		return errors.New("disk full")
	}
	for _, l := range lines {
		if !j.have[l.Offset] {
			j.have[l.Offset] = true
			j.lines = append(j.lines, l)
		}
	}
	return nil
}

func (j *journal) LogEnd(_ context.Context, _ slipway.DeploymentID, origin string) (end int64, _ error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.lines {
		if l.Origin == origin {
			end = max(end, l.Offset)
		}
	}
	return end, nil
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var b strings.Builder
	for _, l := range j.lines {
		b.WriteString(l.Message + "\n")
	}
	return b.String()
}

func (j *journal) breaks(full bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.full = full
}

// printer is one instance that prints what it is told.
type printer struct {
	t       *testing.T
	mu      sync.Mutex
	written bytes.Buffer
	driver  *fake.Driver
	journal *journal
	in      slipway.Instance
	outputs *listener.Outputs
	stop    func()
}

func (p *printer) Printf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(&p.written, format, args...)
}

func (p *printer) output() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.written.Bytes())
}

// printing runs a test with an instance that is followed.
func printing(t *testing.T, test func(*printer)) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		p := &printer{t: t, journal: &journal{have: map[int64]bool{}}, in: slipway.Instance{
			ID: slipway.NewID[slipway.InstanceID](now), Deployment: slipway.NewID[slipway.DeploymentID](now), Revision: "r",
		}}
		p.driver = fake.Open(func(slipway.Workload) fake.Behaviour { return fake.Behaviour{Output: p.output} })
		if _, err := p.driver.Apply(t.Context(), slipway.Workload{Instance: p.in.ID, Deployment: p.in.Deployment, Attempt: 1}); err != nil {
			t.Fatal(err)
		}
		p.restart()
		test(p)
		p.stop()
		if err := p.driver.Stop(t.Context(), p.in.Deployment, p.in.ID, 0); err != nil {
			t.Error(err)
		}
		p.driver.Close()
	})
}

// restart follows anew, as after a restart of the server.
func (p *printer) restart() { p.follow(p.driver) }

// follow follows by a driver.
func (p *printer) follow(driver slipway.Driver) {
	if p.stop != nil {
		p.stop()
	}
	log := slog.New(slog.DiscardHandler)
	p.outputs = listener.NewOutputs(p.journal, driver, log, time.Now)
	l := listener.New(p.journal, driver, still{}, p.outputs, listener.Config{Logger: log})
	p.outputs.Follow(p.in)
	if err := l.Start(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	p.stop = l.Stop
}

// wants checks what has arrived after a while.
func (p *printer) wants(want string) {
	p.t.Helper()
	time.Sleep(3 * time.Second)
	synctest.Wait()
	if got := p.journal.text(); got != want {
		p.t.Fatalf("%d bytes arrived, want %d\n%.300q\n%.300q", len(got), len(want), got, want)
	}
}

func TestLinesArriveWhole(t *testing.T) {
	printing(t, func(p *printer) {
		p.Printf("one\ntwo\r\n\nthr")
		p.wants("one\ntwo\n")
		p.Printf("ee\nfour")
		p.wants("one\ntwo\nthree\n")
		p.outputs.Finish(t.Context(), p.in.ID)
		p.wants("one\ntwo\nthree\nfour\n")
		l := p.journal.lines[2]
		if l.Offset != int64(len("one\ntwo\r\n\nthree\n")) || l.Origin != string(p.in.ID) || l.Kind != slipway.DeployLog || l.Revision != "r" || l.At.IsZero() {
			t.Errorf("a line: %+v", l)
		}
		asked := p.journal.asked
		p.wants("one\ntwo\nthree\nfour\n")
		if p.journal.asked != asked {
			t.Error("lines are sent although there are none")
		}
	})
}

// What runs for several revisions, one after the other, says so of its lines.
func TestLinesOfAnotherRevision(t *testing.T) {
	printing(t, func(p *printer) {
		p.Printf("one\n")
		p.wants("one\n")
		p.in.Revision = "r2"
		p.outputs.Follow(p.in)
		p.outputs.Follow(p.in)
		p.Printf("two\n")
		p.wants("one\ntwo\n")
		if a, b := p.journal.lines[0].Revision, p.journal.lines[1].Revision; a != "r" || b != "r2" {
			t.Errorf("lines of %s and %s", a, b)
		}
	})
}

func TestNothingIsLostOrRepeatedByARestart(t *testing.T) {
	printing(t, func(p *printer) {
		var want strings.Builder
		for n := range 200 {
			fmt.Fprintf(&want, "line %d\n", n)
			p.Printf("line %d", n)
			if n%7 == 0 {
				p.restart() // in the middle of a line
			}
			p.Printf("\n")
			if n%11 == 0 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		p.wants(want.String())
	})
}

// More than is read at once does not cut a line that fits.
func TestABurstIsNotCut(t *testing.T) {
	printing(t, func(p *printer) {
		var want strings.Builder
		for n := range 40_000 {
			fmt.Fprintf(&want, "this is line number %d of a burst\n", n)
		}
		p.Printf("%s", want.String())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		p.journal.mu.Lock()
		defer p.journal.mu.Unlock()
		if n := len(p.journal.lines); n != 40_000 {
			t.Fatalf("%d lines", n)
		}
		for n, l := range p.journal.lines {
			if l.Message != fmt.Sprintf("this is line number %d of a burst", n) {
				t.Fatalf("line %d: %q", n, l.Message)
			}
		}
	})
}

// A line that is too long is cut between characters, and goes on.
func TestHugeLines(t *testing.T) {
	printing(t, func(p *printer) {
		huge := strings.Repeat("€", 300_000) // three bytes each
		p.Printf("%s\nnext\n", huge)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		text := p.journal.text()
		if n := strings.Count(text, "\n"); n < 3 || n > 6 {
			t.Errorf("%d lines", n)
		}
		if strings.ReplaceAll(text, "\n", "") != huge+"next" {
			t.Errorf("%d bytes arrived of %d, or other ones", len(text), len(huge))
		}
	})
}

func TestAFullDiskLosesNothing(t *testing.T) {
	printing(t, func(p *printer) {
		p.journal.breaks(true)
		p.Printf("one\n")
		p.wants("")
		p.Printf("two\n")
		p.journal.breaks(false)
		p.wants("one\ntwo\n")
	})
}

func TestLevels(t *testing.T) {
	lines := map[string]string{
		`{"level":"warn","msg":"x"}`:          "WARNING",
		`{"level":"fatal"}`:                   "CRITICAL",
		`{"level":7}`:                         "INFO",
		`{not json`:                           "INFO",
		"ERROR something":                     "ERROR",
		"[error] something":                   "ERROR",
		"2026-01-01 10:00:00 DEBUG something": "DEBUG",
		"warning: something":                  "WARNING",
		"this says nothing of an error":       "INFO",
		"plain":                               "INFO",
	}
	printing(t, func(p *printer) {
		for line := range lines {
			p.Printf("%s\n", line)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for _, l := range p.journal.lines {
			if want := lines[l.Message]; l.Level != want {
				t.Errorf("%s is %s, want %s", l.Message, l.Level, want)
			}
		}
		if len(p.journal.lines) != len(lines) {
			t.Errorf("%d lines", len(p.journal.lines))
		}
	})
}

func TestBytesThatAreNoText(t *testing.T) {
	printing(t, func(p *printer) {
		p.Printf("a\xff\x00b\n")
		p.wants("a�\x00b\n")
	})
}

// holed is a driver whose output has a gap, and which notes what is trimmed.
type holed struct {
	slipway.Driver
	mu      sync.Mutex
	gap     *slipway.OutputGap
	trimmed int64
}

func (h *holed) Output(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID, offset int64, limit int) ([]byte, error) {
	h.mu.Lock()
	gap := h.gap
	h.mu.Unlock()
	if gap != nil && offset < gap.Until {
		return nil, gap
	}
	return h.Driver.Output(ctx, d, i, offset, limit)
}

func (h *holed) Trim(_ context.Context, _ slipway.DeploymentID, _ slipway.InstanceID, before int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trimmed = before
	return nil
}

// A loss is said once, whatever is restarted; what was only trimmed is not said.
func TestGaps(t *testing.T) {
	for _, lost := range []int64{0, 1000} {
		printing(t, func(p *printer) {
			p.Printf("%s\nafter\n", strings.Repeat("x", 5000))
			h := &holed{Driver: p.driver, gap: &slipway.OutputGap{Until: 5001, Lost: lost}}
			want := "after\n"
			if lost > 0 {
				want = "Slipway: 1000 bytes of output were lost here: more was printed than could be stored.\nafter\n"
			}
			for _, counted := range []int64{lost, 0} {
				p.follow(h)
				p.wants(want)
				if got := p.outputs.Lost(); got != uint64(counted) {
					t.Errorf("%d bytes are counted as lost, want %d", got, counted)
				}
			}
		})
	}
}

// Only what is stored is trimmed, and up to a line that is stored as such.
func TestTrims(t *testing.T) {
	printing(t, func(p *printer) {
		h := &holed{Driver: p.driver}
		p.follow(h)
		line := strings.Repeat("x", 99) + "\n"
		const lines = 3 << 20 / 100
		p.journal.breaks(true)
		p.Printf("%s\n\n\n", strings.Repeat(line, lines))
		p.wants("")
		if h.trimmed != 0 {
			t.Errorf("%d trimmed, and nothing stored", h.trimmed)
		}
		p.journal.breaks(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if h.trimmed < 1<<20 || h.trimmed > lines*100 || h.trimmed%100 != 0 {
			t.Errorf("trimmed before %d", h.trimmed)
		}
	})
}
