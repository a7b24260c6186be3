package listener

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/beat"
	"github.com/slipwayhq/slipway/internal/turn"
)

const (
	// readEvery is how often the output of an instance is looked at that has
	// printed lately; quietEvery that of any other.
	readEvery  = beat.Every
	quietEvery = 2 * time.Second
	quietAfter = 10 * time.Second
	// readAtOnce bounds what is read in one go, and so a line: one that is
	// longer is cut there.
	readAtOnce = 256 << 10
	// turnsAtOnce bounds how long the others wait for one that prints a lot.
	turnsAtOnce = 8
	// trimEvery is how much is read until its space is given back.
	trimEvery = 1 << 20
)

// Outputs carries what instances print to the control plane. A line is named by
// the instance and the offset of its end, so that carrying it twice stores it
// once.
type Outputs struct {
	sync   slipway.Sync
	driver slipway.Driver
	logger *slog.Logger
	now    func() time.Time
	lost   atomic.Uint64

	mu      sync.Mutex
	follows map[slipway.InstanceID]*follow
}

// follow is how far one instance has been read.
type follow struct {
	instance slipway.Instance
	mu       sync.Mutex // held while it is read
	known    bool       // offset has been asked for
	offset   int64
	trimmed  int64     // the driver has given back what lies before
	last     time.Time // something was read
	next     time.Time
}

// NewOutputs returns what follows nothing yet.
func NewOutputs(s slipway.Sync, driver slipway.Driver, logger *slog.Logger, now func() time.Time) *Outputs {
	return &Outputs{sync: s, driver: driver, logger: logger, now: now, follows: map[slipway.InstanceID]*follow{}}
}

// Lost counts the bytes that were printed and found gone before they were read.
func (o *Outputs) Lost() uint64 { return o.lost.Load() }

// Follow begins to read what an instance prints; again does nothing, unless its
// lines are of another revision from now on. Where it goes on the store knows.
func (o *Outputs) Follow(i slipway.Instance) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f := o.follows[i.ID]; f == nil || f.instance.Revision != i.Revision {
		o.follows[i.ID] = &follow{instance: i, last: o.now()}
	}
}

// Finish reads what is left and forgets the instance.
func (o *Outputs) Finish(ctx context.Context, id slipway.InstanceID) {
	o.mu.Lock()
	f := o.follows[id]
	delete(o.follows, id)
	o.mu.Unlock()
	if f != nil {
		o.read(ctx, f, true)
	}
}

// run reads until ctx ends.
func (o *Outputs) run(ctx context.Context) {
	for sleep(ctx, beat.Wait(time.Now(), readEvery)); ctx.Err() == nil; sleep(ctx, beat.Wait(time.Now(), readEvery)) {
		pace := turn.Begin()
		for _, f := range o.due() {
			o.read(ctx, f, false)
			pace.Breathe()
		}
	}
}

func (o *Outputs) due() []*follow {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	var due []*follow
	for _, f := range o.follows {
		if now.Before(f.next) {
			continue
		}
		f.next = now.Add(readEvery)
		if now.Sub(f.last) > quietAfter {
			f.next = now.Add(quietEvery)
		}
		due = append(due, f)
	}
	return due
}

// read carries what is new. At the end of an instance an unfinished line is
// taken for whole.
func (o *Outputs) read(ctx context.Context, f *follow, end bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for turns := 0; end || turns < turnsAtOnce; turns++ {
		n, err := o.readOnce(ctx, f, end)
		if err != nil && ctx.Err() == nil {
			o.logger.Warn("output not read", slog.String("instance", string(f.instance.ID)), slog.Any("error", err))
		}
		if err != nil || n == 0 {
			return
		}
		f.last = o.now()
	}
}

func (o *Outputs) readOnce(ctx context.Context, f *follow, end bool) (n int, err error) {
	i := f.instance
	if !f.known {
		if f.offset, err = o.sync.LogEnd(ctx, i.Deployment, string(i.ID)); err != nil {
			return 0, err
		}
		f.known = true
	}
	raw, err := o.driver.Output(ctx, i.Deployment, i.ID, f.offset, readAtOnce)
	if gap, ok := errors.AsType[*slipway.OutputGap](err); ok {
		return o.skip(ctx, f, gap)
	}
	if err != nil {
		return 0, err
	}
	whole := raw[:wholeLines(raw, end)]
	if len(whole) == 0 {
		return 0, nil
	}
	lines := o.lines(f, whole)
	if err := o.sync.Log(ctx, lines); err != nil {
		return 0, err
	}
	f.offset += int64(len(whole))
	if len(lines) > 0 {
		o.trim(ctx, f, lines[len(lines)-1].Offset)
	}
	return len(whole), nil
}

// skip goes on behind a gap. What was lost is said in its place, once: the line
// is named by the end of the gap.
func (o *Outputs) skip(ctx context.Context, f *follow, gap *slipway.OutputGap) (n int, err error) {
	if gap.Lost > 0 {
		err = o.sync.Log(ctx, []slipway.LogLine{{
			Deployment: f.instance.Deployment, Revision: f.instance.Revision, Kind: slipway.DeployLog,
			Origin: string(f.instance.ID), Offset: gap.Until, At: o.now(), Level: "WARNING",
			Message: fmt.Sprintf("Slipway: %d bytes of output were lost here: more was printed than could be stored.", gap.Lost),
		}})
	}
	if err != nil {
		return 0, err
	}
	o.lost.Add(uint64(max(0, gap.Lost)))
	n = int(gap.Until - f.offset)
	f.offset = gap.Until
	return n, nil
}

// trim lets the driver give back what has been stored, up to a line that tells
// the next server where to go on.
func (o *Outputs) trim(ctx context.Context, f *follow, stored int64) {
	t, ok := o.driver.(slipway.Trimmer)
	if !ok || stored-f.trimmed < trimEvery {
		return
	}
	if err := t.Trim(ctx, f.instance.Deployment, f.instance.ID, stored); err != nil && ctx.Err() == nil {
		o.logger.Warn("output not trimmed", slog.String("instance", string(f.instance.ID)), slog.Any("error", err))
	}
	f.trimmed = stored
}

// wholeLines is how much of raw can be carried: up to the end of its last line.
// A line that is longer than what is read at once is cut, but not in the middle
// of a character; and what comes after the last line is one at the end.
func wholeLines(raw []byte, end bool) int {
	full := len(raw) >= readAtOnce
	if end && !full {
		return len(raw)
	}
	if n := bytes.LastIndexByte(raw, '\n') + 1; n > 0 || !full {
		return n
	}
	for n := len(raw) - 1; n > len(raw)-utf8.UTFMax; n-- {
		if utf8.RuneStart(raw[n]) && !utf8.FullRune(raw[n:]) {
			return n
		}
	}
	return len(raw)
}

func (o *Outputs) lines(f *follow, raw []byte) []slipway.LogLine {
	now, offset := o.now(), f.offset
	var lines []slipway.LogLine
	for line := range bytes.Lines(raw) {
		offset += int64(len(line))
		text := strings.ToValidUTF8(strings.TrimRight(string(line), "\r\n"), "�")
		if text == "" {
			continue
		}
		lines = append(lines, slipway.LogLine{
			Deployment: f.instance.Deployment, Revision: f.instance.Revision, Kind: slipway.DeployLog,
			Origin: string(f.instance.ID), Offset: offset, At: now, Level: levelOf(text), Message: text,
		})
	}
	return lines
}

var (
	levelWord = regexp.MustCompile(`(?i)^\W*(?:\S+\s+){0,2}?\[?(debug|info|warn|warning|error|critical|fatal)\b`)
	levels    = map[string]string{
		"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "warning": "WARNING",
		"error": "ERROR", "critical": "CRITICAL", "fatal": "CRITICAL",
	}
)

// levelOf finds the level of a line: named by JSON, or among its first words.
func levelOf(line string) string {
	var structured struct{ Level string }
	if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &structured) == nil {
		if level, ok := levels[strings.ToLower(structured.Level)]; ok {
			return level
		}
	}
	if m := levelWord.FindStringSubmatch(line); m != nil {
		return levels[strings.ToLower(m[1])]
	}
	return "INFO"
}
