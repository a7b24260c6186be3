package trace

import (
	"maps"

	"github.com/slipwayhq/slipway"
)

// State is what is kept of a run: what is known of it, and what it takes to put
// it together in any order.
type State struct {
	Run
	Posted  bool
	Patched Fields // whose values come from patches
}

// standing is where a run stands: of it the post knows best.
const standing = FieldProject | FieldTrace | FieldParent | FieldOrder

// Apply changes a state, which may be the zero one, by an operation that Check
// has passed. It does not change what the old state refers to.
func (s *State) Apply(o Op) error {
	if o.Within != "" && s.Project != "" && s.Project != o.Within {
		return slipway.Errorf(slipway.CodeNotFound, "Run %s not found.", o.Run.ID)
	}
	if o.Kind == Post && s.Posted {
		return ErrDuplicate
	}
	s.ID, s.Workspace = o.Run.ID, o.Run.Workspace
	set := o.Run.Fields()
	if o.Kind == Post {
		set &^= s.Patched &^ standing &^ FieldAttachments
		s.Posted, s.Patched = true, s.Patched&^(set&standing)
	} else {
		set &^= s.Fields() & standing &^ s.Patched
		s.Patched |= set
	}
	s.take(&o.Run, set&^FieldAttachments)
	if set.Has(FieldAttachments) {
		s.attach(o)
	}
	return nil
}

// attach adds attachments: a patch's replace those of their names, a post's do
// not.
func (s *State) attach(o Op) {
	all := maps.Clone(o.Run.Attachments)
	for name, a := range s.Attachments {
		if _, replaced := all[name]; !replaced || o.Kind == Post {
			all[name] = a
		}
	}
	s.Attachments = all
}

// Fields are those that are known.
func (r *Run) Fields() Fields {
	var f Fields
	for i, known := range [...]bool{
		r.Project != "", !r.Trace.IsZero(), !r.Parent.IsZero(), r.Order != "",
		r.Name != "", r.Type != "", !r.Start.IsZero(), !r.End.IsZero(), r.Error != "", r.Tags != nil, !r.Reference.IsZero(),
		!r.Inputs.IsZero(), !r.Outputs.IsZero(), !r.Extra.IsZero(), !r.Events.IsZero(), !r.Serialized.IsZero(),
		len(r.Attachments) > 0, r.Usage != Usage{},
	} {
		if known {
			f |= 1 << i
		}
	}
	return f
}

// take sets some fields, attachments not among them, to those of another run.
func (r *Run) take(from *Run, set Fields) {
	take(set, FieldProject, &r.Project, from.Project)
	take(set, FieldTrace, &r.Trace, from.Trace)
	take(set, FieldParent, &r.Parent, from.Parent)
	take(set, FieldOrder, &r.Order, from.Order)
	take(set, FieldName, &r.Name, from.Name)
	take(set, FieldType, &r.Type, from.Type)
	take(set, FieldStart, &r.Start, from.Start)
	take(set, FieldEnd, &r.End, from.End)
	take(set, FieldError, &r.Error, from.Error)
	take(set, FieldTags, &r.Tags, from.Tags)
	take(set, FieldReference, &r.Reference, from.Reference)
	take(set, FieldInputs, &r.Inputs, from.Inputs)
	take(set, FieldOutputs, &r.Outputs, from.Outputs)
	take(set, FieldExtra, &r.Extra, from.Extra)
	take(set, FieldEvents, &r.Events, from.Events)
	take(set, FieldSerialized, &r.Serialized, from.Serialized)
	take(set, FieldUsage, &r.Usage, from.Usage)
}

func take[T any](set, field Fields, to *T, from T) {
	if set.Has(field) {
		*to = from
	}
}
