package trace

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slipwayhq/slipway"
)

// Kind is what an operation does with its run.
type Kind uint8

const (
	Post  Kind = iota + 1 // tells of a run that was not told of
	Patch                 // tells more of it
)

// Op is an operation on one run, which needs ID and Workspace. A field with its
// zero value is absent or null: it changes nothing. Tags that are empty, and not
// nil, empty them.
type Op struct {
	Kind Kind
	Run  Run
	// Within, unless it is "", is the only project whose runs its sender may
	// change.
	Within slipway.ProjectID
}

// ErrDuplicate means that a run was posted before; nothing has changed.
var ErrDuplicate = errors.New("the run was posted before")

const (
	// MaxValue bounds one value of a run, or one attachment, in bytes.
	MaxValue = 512 << 20
	// maxText bounds names, types and tags, in bytes. What is longer is cut.
	maxText = 4 << 10
	// maxName bounds the names of attachments, in bytes. Engines have them in keys.
	maxName = 1 << 10
	// MaxTags bounds the tags of a run. The others are left out.
	MaxTags = 1000
	// maxError bounds the text of an error, in bytes. What is longer is cut.
	maxError = 1 << 20
)

// Check says what is wrong with an operation, as an error for its sender, and
// fills in what follows from the rest: the trace and the parent from the order,
// the trace and the order of a root run from its identity and its start. It
// makes all text such that every engine can keep it.
func (o *Op) Check() error {
	r := &o.Run
	switch {
	case o.Kind != Post && o.Kind != Patch:
		return fmt.Errorf("operation of kind %d", o.Kind)
	case r.Workspace == "":
		return errors.New("operation without a workspace")
	case r.ID.IsZero():
		return slipway.Errorf(slipway.CodeInvalid, "A run has no id: it must be a UUID.")
	case o.Kind == Post && (r.Project == "" || r.Name == "" || r.Start.IsZero()):
		return slipway.Errorf(slipway.CodeInvalid, "Run %s can not be posted without a project, a name and a start_time.", r.ID)
	}
	if o.Kind == Post && r.Type == "" {
		r.Type = "chain"
	}
	o.clean()
	if err := o.checkSizes(); err != nil {
		return err
	}
	return o.place()
}

// clean keeps text to what PostgreSQL can hold too, and to a length.
func (o *Op) clean() {
	r := &o.Run
	r.Name, r.Type, r.Error = text(r.Name, maxText), text(r.Type, maxText), text(r.Error, maxError)
	for i, t := range r.Tags {
		r.Tags[i] = text(t, maxText)
	}
	if len(r.Tags) > MaxTags {
		r.Tags = r.Tags[:MaxTags]
	}
	for _, c := range []*Content{&r.Inputs, &r.Outputs, &r.Extra, &r.Events, &r.Serialized} {
		if !utf8.Valid(c.Inline) {
			*c = Inline([]byte(strings.ToValidUTF8(string(c.Inline), "\uFFFD")))
		}
	}
}

// clean has U+FFFD for what is not UTF-8, and for U+0000.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// text is clean, and cut where it is too long.
func text(s string, most int) string {
	if s = clean(s); len(s) <= most {
		return s
	}
	for most -= len("…"); !utf8.RuneStart(s[most]); most-- {
	}
	return s[:most] + "…"
}

func (o *Op) checkSizes() error {
	r := &o.Run
	for _, v := range [...]struct {
		what string
		of   *Content
	}{{"inputs", &r.Inputs}, {"outputs", &r.Outputs}, {"extra", &r.Extra}, {"events", &r.Events}, {"serialized", &r.Serialized}} {
		if v.of.Size > MaxValue {
			return tooLarge(r.ID, v.what, *v.of)
		}
	}
	for name, a := range r.Attachments {
		if name == "" || text(name, maxName) != name {
			return slipway.Errorf(slipway.CodeInvalid, "Run %s has an attachment named %q: use 1 to %d bytes of UTF-8 without U+0000.", r.ID, clip(name), maxName)
		}
		if a.Size > MaxValue {
			return tooLarge(r.ID, "attachment "+name, a.Content)
		}
	}
	return nil
}

func tooLarge(id ID, what string, c Content) error {
	return slipway.Errorf(slipway.CodeTooLarge, "Run %s: its %s has %d bytes; at most %d are kept.", id, clip(what), c.Size, int64(MaxValue))
}

// place fills in where the run stands in its trace.
func (o *Op) place() error {
	r := &o.Run
	if r.Order != "" {
		return r.placeByOrder()
	}
	if o.Kind == Patch {
		return nil
	}
	if r.Trace.IsZero() {
		if !r.Root() {
			return slipway.Errorf(slipway.CodeInvalid, "Run %s has a parent_run_id: send its trace_id or its dotted_order too.", r.ID)
		}
		r.Trace = r.ID
	}
	if r.Root() {
		r.Order = r.Order.With(r.Start, r.ID)
	}
	return nil
}

func (r *Run) placeByOrder() error {
	steps, err := r.Order.Steps()
	if err != nil {
		return err
	}
	last := len(steps) - 1
	var parent ID
	if last > 0 {
		parent = steps[last-1].ID
	}
	for _, c := range []struct {
		what      string
		told, got *ID
	}{{"id", &r.ID, &steps[last].ID}, {"trace_id", &r.Trace, &steps[0].ID}, {"parent_run_id", &r.Parent, &parent}} {
		if c.told.IsZero() {
			*c.told = *c.got
		}
		if *c.told != *c.got {
			return slipway.Errorf(slipway.CodeInvalid, "Run %s: its %s is %s, but its dotted_order says %s.", r.ID, c.what, *c.told, *c.got)
		}
	}
	return nil
}
