package store

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// op is an operation on its way: its values are packed.
type op struct {
	trace.Op
	attachments map[string]attachment
	blobs       []trace.Content // that it brings
	began       time.Time       // its trace, as far as it tells; else zero
	done        bool            // what became of it is committed
	err         error           // that it met
}

type attachment struct {
	kind   string
	packed []byte
}

// Write applies operations, in their order. An error of one, in its place, is for
// its sender or trace.ErrDuplicate, and keeps none of the others from being
// written. The last error is that of the whole: it may have been written or not,
// and can be sent again. What is written when Write returns survives the end of
// the process and of the machine. Blobs of what was not written are discarded.
func (s *Store) Write(ctx context.Context, ops []trace.Op) ([]error, error) {
	j := &job{}
	packed := make([]op, len(ops))
	for i, o := range ops {
		bytes, err := s.pack(ctx, &packed[i], o)
		switch {
		case err == nil:
			j.ops = append(j.ops, &packed[i])
			j.bytes += bytes
		case slipway.CodeOf(err) == "":
			return nil, err
		default:
			packed[i].err = err
		}
	}
	if len(j.ops) > 0 {
		if err := s.writer.wait(ctx, j); err != nil {
			return nil, fmt.Errorf("write runs: %w", err)
		}
	}
	errs := make([]error, len(ops))
	for i := range packed {
		errs[i] = packed[i].err
	}
	s.discardRefused(ctx, packed)
	return errs, nil
}

// pack checks an operation and packs its values, the large ones into blobs.
func (s *Store) pack(ctx context.Context, to *op, o trace.Op) (bytes int, err error) {
	to.Op = o
	to.Run.Tags = slices.Clone(o.Run.Tags) // Check may change them
	values := make([]*trace.Content, 0, len(heavy)+len(o.Run.Attachments))
	for _, c := range heavy {
		values = append(values, c.of(&to.Run))
	}
	for _, v := range values {
		if v.Blob != "" {
			to.blobs = append(to.blobs, *v)
		}
	}
	for _, a := range o.Run.Attachments {
		if a.Blob != "" {
			to.blobs = append(to.blobs, a.Content)
		}
	}
	if err := to.Check(); err != nil {
		return 0, err
	}
	for _, v := range values {
		packed, err := s.packValue(ctx, to, *v)
		if err != nil {
			return 0, err
		}
		if bytes += len(packed); packed != nil {
			*v = trace.Inline(packed)
		}
	}
	to.Run.Attachments = nil
	for name, a := range o.Run.Attachments {
		packed, err := s.packValue(ctx, to, a.Content)
		if err != nil {
			return 0, err
		}
		if to.attachments == nil {
			to.attachments = map[string]attachment{}
		}
		bytes += len(packed)
		to.attachments[name] = attachment{a.Type, packed}
	}
	to.began = began(&to.Run)
	return bytes, nil
}

// packValue gives what is too large for a row to a blob first.
func (s *Store) packValue(ctx context.Context, to *op, c trace.Content) ([]byte, error) {
	if len(c.Inline) > maxInline {
		var err error
		if c, err = s.putBytes(ctx, c.Inline); err != nil {
			return nil, err
		}
		to.blobs = append(to.blobs, c)
	}
	return pack(c), nil
}

// began is when the trace of a run began, as far as the run can tell.
func began(r *trace.Run) time.Time {
	if at, ok := r.Order.Began(); ok {
		return at
	}
	return r.Start
}

// discardRefused removes the blobs of operations that were not written. What it
// can not remove, Retain will.
func (s *Store) discardRefused(ctx context.Context, ops []op) {
	for i := range ops {
		if ops[i].err == nil {
			continue
		}
		for _, c := range ops[i].blobs {
			if err := s.Discard(context.WithoutCancel(ctx), c); err != nil {
				s.config.Logger.Warn("a value of a refused run is not removed yet", slog.String("blob", c.Blob), slog.Any("error", err))
			}
		}
	}
}

// group is all that a batch does to one run.
type group struct {
	workspace slipway.WorkspaceID
	number    int64 // of the workspace, where that is known
	id        trace.ID
	ops       []*op
	home      Date
	settled   bool // if the run is not in its home it is nowhere
}

const (
	// late is how many days after its trace began a run can arrive and be kept
	// with that day. What is later, or from the future, is kept with today: of a
	// clock that is wrong no day of its own is made.
	late = 7
)

// groupOps puts the operations of each run together.
func groupOps(ops []*op) []*group {
	type key struct {
		workspace slipway.WorkspaceID
		id        trace.ID
	}
	var groups []*group
	at := make(map[key]*group, len(ops))
	for _, o := range ops {
		k := key{o.Run.Workspace, o.Run.ID}
		g := at[k]
		if g == nil {
			g = &group{workspace: k.workspace, id: k.id}
			at[k] = g
			groups = append(groups, g)
		}
		g.ops = append(g.ops, o)
	}
	return groups
}

// settle decides in which day a run is looked for first, and is kept if it is in
// none. That it is in no other is true but for strays.
func (g *group) settle(today Date, oldest Date, days []Known) {
	g.home = today
	posted, began := false, time.Time{}
	for _, o := range g.ops {
		posted = posted || o.Kind == trace.Post
		if began.IsZero() {
			began = o.began
		}
	}
	if began.IsZero() {
		return
	}
	d := DateOf(began)
	inTime := max(today-late, oldest) <= d && d <= today+1
	if inTime || slices.ContainsFunc(days, func(k Known) bool { return k.Date == d }) {
		g.home = d
	}
	g.settled = posted && inTime
}

// findStrays looks for runs that are not settled after all, in the days that have
// strays only: there may always be one somewhere.
func (s *Store) findStrays(ctx context.Context, groups []*group, days []Known) error {
	for _, k := range days {
		if k.Strays == 0 {
			continue
		}
		var asked []*group
		for _, g := range groups {
			if g.settled && g.home != k.Date {
				asked = append(asked, g)
			}
		}
		if len(asked) == 0 {
			continue
		}
		err := s.view(ctx, k.Date, func(t *tx) error {
			rows, err := t.held(asked)
			for i, r := range rows {
				asked[i].settled = r == nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// write is done by the writer alone.
func (s *Store) write(ctx context.Context, ops []*op) error {
	days, err := s.engine.Days(ctx)
	if err != nil {
		return err
	}
	today := DateOf(s.config.Now())
	groups := groupOps(s.toWrite(ops))
	for _, g := range groups {
		g.settle(today, s.oldest(today), days)
	}
	if err := s.findStrays(ctx, groups, days); err != nil {
		return err
	}
	homes := map[Date][]*group{}
	for _, g := range groups {
		homes[g.home] = append(homes[g.home], g)
	}
	for home, groups := range homes {
		if err := s.writeHome(ctx, home, groups, days); err != nil {
			return err
		}
	}
	return nil
}

// writeHome writes runs to the day in which they are, or else to their home.
func (s *Store) writeHome(ctx context.Context, home Date, groups []*group, days []Known) error {
	fresh, elsewhere := groups, []*group(nil)
	if !slices.ContainsFunc(days, func(k Known) bool { return k.Date == home }) {
		fresh, elsewhere = settled(groups) // no day is made for what turns out to be elsewhere
	}
	if len(fresh) > 0 {
		left, err := s.writeDay(ctx, home, fresh, false)
		if err != nil {
			return err
		}
		elsewhere = append(elsewhere, left...)
	}
	for _, k := range slices.Backward(days) {
		if len(elsewhere) == 0 {
			return nil
		}
		var err error
		if elsewhere, err = s.writeFound(ctx, k.Date, elsewhere); err != nil {
			return err
		}
	}
	if len(elsewhere) == 0 {
		return nil
	}
	_, err := s.writeDay(ctx, home, elsewhere, true)
	return err
}

// writeDay writes runs to a day. Without all it returns those that are not there
// and may be elsewhere.
func (s *Store) writeDay(ctx context.Context, d Date, groups []*group, all bool) (elsewhere []*group, err error) {
	err = s.update(ctx, d, func(t *tx) error {
		elsewhere = nil
		fresh, there := settled(groups)
		if all {
			fresh, there = groups, nil
		}
		known, err := t.insert(fresh)
		if err != nil {
			return err
		}
		elsewhere, err = t.change(append(there, known...))
		return err
	})
	if err == nil {
		setDone(groups, true)
		setDone(elsewhere, false)
	}
	return elsewhere, err
}

func setDone(groups []*group, done bool) {
	for _, g := range groups {
		for _, o := range g.ops {
			o.done = done
		}
	}
}

// settled are the groups that are in their homes or nowhere, and the others.
func settled(groups []*group) (settled, others []*group) {
	for _, g := range groups {
		if g.settled {
			settled = append(settled, g)
		} else {
			others = append(others, g)
		}
	}
	return settled, others
}

// writeFound writes those runs to a day that are there, and returns the others.
func (s *Store) writeFound(ctx context.Context, d Date, groups []*group) (elsewhere []*group, err error) {
	var found []*group
	err = s.view(ctx, d, func(t *tx) error {
		found, elsewhere = nil, nil
		rows, err := t.held(groups)
		for i, g := range groups {
			if rows[i] != nil {
				found = append(found, g)
			} else {
				elsewhere = append(elsewhere, g)
			}
		}
		return err
	})
	if err != nil || len(found) == 0 {
		return groups, err
	}
	again, err := s.writeDay(ctx, d, found, false)
	return append(elsewhere, again...), err
}
