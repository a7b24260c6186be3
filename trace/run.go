package trace

import (
	"time"

	"github.com/slipwayhq/slipway"
)

// Content is a value that may be large: in memory, or in a blob of the store.
// The zero Content is none.
type Content struct {
	Inline []byte // nil if it lies in a blob
	Blob   string // names the blob
	Size   int64  // bytes, wherever they are
	Disk   int64  // bytes that the blob takes, known of one that was just made
}

// Inline is content in memory.
func Inline(b []byte) Content { return Content{Inline: b, Size: int64(len(b))} }

// IsZero says whether there is none.
func (c Content) IsZero() bool { return c.Inline == nil && c.Blob == "" }

// Attachment is a file beside a run.
type Attachment struct {
	Type string // its media type
	Content
}

// Run is one step of an agent, as the LangSmith SDKs tell of it.
type Run struct {
	ID        ID
	Workspace slipway.WorkspaceID
	Project   slipway.ProjectID // "" while no operation has told it

	Trace     ID // that of the root run
	Parent    ID // zero of a root run; it need never arrive
	Order     Order
	Name      string
	Type      string // chain, llm, tool, retriever, embedding, prompt, parser, or any other
	Start     time.Time
	End       time.Time // zero while it runs
	Error     string    // "" of one that has not failed
	Tags      []string
	Reference ID // of an example

	// JSON, as it was sent.
	Inputs, Outputs, Extra, Events, Serialized Content

	Attachments map[string]Attachment // by name

	// Usage is what its model has used. Of a root run that is read it is that of
	// all models of the trace, as far as they are in its project.
	Usage Usage
}

// Usage counts tokens.
type Usage struct{ Prompt, Completion int64 }

// Total is all of them.
func (u Usage) Total() int64 { return u.Prompt + u.Completion }

// UsesModel says whether the run's usage counts. Others pass on what models told,
// which would count twice.
func (r *Run) UsesModel() bool { return r.Type == "llm" || r.Type == "embedding" }

// Held is how many bytes of memory what may be large of the run takes, about.
func (r *Run) Held() int64 {
	n := len(r.Name) + len(r.Type) + len(r.Error)
	for _, t := range r.Tags {
		n += len(t)
	}
	for _, c := range [...]Content{r.Inputs, r.Outputs, r.Extra, r.Events, r.Serialized} {
		n += len(c.Inline)
	}
	for _, a := range r.Attachments {
		n += len(a.Inline)
	}
	return int64(n)
}

// Root says whether the run is the first of its trace.
func (r *Run) Root() bool { return r.Parent.IsZero() }

// Status is how a run fares.
type Status string

const (
	Pending Status = "pending"
	Success Status = "success"
	Failed  Status = "error"
)

// Status follows from what is known of the run.
func (r *Run) Status() Status {
	switch {
	case r.Error != "":
		return Failed
	case r.End.IsZero():
		return Pending
	}
	return Success
}

// Latency is how long the run took, false while it runs. Where clocks disagree
// it is 0 rather than negative.
func (r *Run) Latency() (time.Duration, bool) {
	if r.End.IsZero() {
		return 0, false
	}
	return max(0, r.End.Sub(r.Start)), true
}

// Fields is a set of fields of a run.
type Fields uint32

const (
	FieldProject Fields = 1 << iota
	FieldTrace
	FieldParent
	FieldOrder
	FieldName
	FieldType
	FieldStart
	FieldEnd
	FieldError
	FieldTags
	FieldReference
	FieldInputs
	FieldOutputs
	FieldExtra
	FieldEvents
	FieldSerialized
	FieldAttachments
	FieldUsage

	AllFields Fields = 1<<iota - 1
)

// Heavy are the fields that are read only where they are asked for; the others
// always are.
const Heavy = FieldInputs | FieldOutputs | FieldExtra | FieldEvents | FieldSerialized | FieldAttachments | FieldUsage

// Has says whether all of some fields are in the set.
func (f Fields) Has(some Fields) bool { return f&some == some }
