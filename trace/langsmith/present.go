package langsmith

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// written is a time as LangSmith writes it: in UTC, and without saying so.
func written(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000") }

// column is a field of a run as clients see it.
type column struct {
	name   string
	needs  trace.Fields
	always bool // whatever is selected
	write  func(*page, *trace.Run)
}

// columns are those of a run. Those that are always null are not known here.
var columns = []column{
	{"id", 0, true, func(p *page, r *trace.Run) { p.text(r.ID.String()) }},
	{"name", 0, true, func(p *page, r *trace.Run) { p.text(r.Name) }},
	{"run_type", 0, true, func(p *page, r *trace.Run) { p.text(r.Type) }},
	{"start_time", 0, true, func(p *page, r *trace.Run) { p.time(r.Start) }},
	{"end_time", 0, false, func(p *page, r *trace.Run) { p.time(r.End) }},
	{"status", 0, false, func(p *page, r *trace.Run) { p.text(string(r.Status())) }},
	{"trace_id", 0, false, func(p *page, r *trace.Run) { p.text(r.Trace.String()) }},
	{"dotted_order", 0, false, func(p *page, r *trace.Run) { p.text(string(r.Order)) }},
	{"parent_run_id", 0, false, func(p *page, r *trace.Run) { p.id(r.Parent) }},
	{"parent_run_ids", 0, false, func(p *page, r *trace.Run) { p.value(ancestors(r)) }},
	{"session_id", 0, false, func(p *page, r *trace.Run) { p.text(string(r.Project)) }},
	{"reference_example_id", 0, false, func(p *page, r *trace.Run) { p.id(r.Reference) }},
	{"tags", 0, false, func(p *page, r *trace.Run) { p.value(r.Tags) }},
	{"app_path", 0, false, func(p *page, r *trace.Run) {
		p.text("/o/" + string(r.Workspace) + "/projects/p/" + string(r.Project) + "/r/" + r.ID.String())
	}},
	{"error", trace.FieldError, false, func(p *page, r *trace.Run) { p.textOrNull(r.Error) }},
	{"inputs", trace.FieldInputs, false, func(p *page, r *trace.Run) { p.content(r.Inputs) }},
	{"outputs", trace.FieldOutputs, false, func(p *page, r *trace.Run) { p.content(r.Outputs) }},
	{"extra", trace.FieldExtra, false, func(p *page, r *trace.Run) { p.content(r.Extra) }},
	{"events", trace.FieldEvents, false, func(p *page, r *trace.Run) { p.content(r.Events) }},
	{"serialized", trace.FieldSerialized, false, func(p *page, r *trace.Run) { p.content(r.Serialized) }},
	{"s3_urls", trace.FieldAttachments, false, func(p *page, r *trace.Run) { p.value(p.attachments(r)) }},
	{"thread_id", trace.FieldExtra, false, func(p *page, r *trace.Run) { p.textOrNull(r.Thread()) }},
	{"total_tokens", trace.FieldUsage, false, func(p *page, r *trace.Run) { p.tokens(r, r.Usage.Total()) }},
	{"prompt_tokens", trace.FieldUsage, false, func(p *page, r *trace.Run) { p.tokens(r, r.Usage.Prompt) }},
	{"completion_tokens", trace.FieldUsage, false, func(p *page, r *trace.Run) { p.tokens(r, r.Usage.Completion) }},
	{"total_cost", 0, false, (*page).null},
	{"prompt_cost", 0, false, (*page).null},
	{"completion_cost", 0, false, (*page).null},
	{"feedback_stats", 0, false, (*page).null},
	{"first_token_time", 0, false, (*page).null},
}

// choose returns the columns that are selected, all if none is.
func choose(columns []column, selected []string) (chosen []column, needs trace.Fields) {
	for _, c := range columns {
		if c.always || len(selected) == 0 || slices.Contains(selected, c.name) {
			chosen, needs = append(chosen, c), needs|c.needs
		}
	}
	return chosen, needs
}

// ancestors are the runs above one, root first.
func ancestors(r *trace.Run) []string {
	ids := []string{}
	steps, err := r.Order.Steps()
	if err != nil { // it has no place yet
		return ids
	}
	for _, s := range steps[:len(steps)-1] {
		ids = append(ids, s.ID.String())
	}
	return ids
}

// page writes runs as JSON. Large values pass through: they are not held.
type page struct {
	h    *Handler
	ctx  context.Context
	base string
	zone string // that times are written with
	w    *bufio.Writer
	err  error // of reading what was kept
}

// writeRuns answers with runs, and what comes before and after them. When
// something can not be read any more the answer is cut.
func (h *Handler) writeRuns(w http.ResponseWriter, r *http.Request, before string, runs []trace.Run, columns []column, after, zone string) {
	w.Header().Set("Content-Type", "application/json")
	p := &page{h: h, ctx: r.Context(), base: h.base(r), zone: zone, w: bufio.NewWriterSize(w, 32<<10)}
	p.raw(before)
	for i := range runs {
		if i > 0 {
			p.raw(",")
		}
		p.run(&runs[i], columns)
	}
	p.raw(after)
	if err := p.w.Flush(); err != nil && p.err == nil {
		return // the client has left
	}
	if p.err != nil {
		h.Logger.Error("a run could not be read", "error", p.err)
		panic(http.ErrAbortHandler)
	}
}

func (p *page) run(r *trace.Run, columns []column) {
	p.raw("{")
	for i, c := range columns {
		if i > 0 {
			p.raw(",")
		}
		p.raw(`"` + c.name + `":`)
		c.write(p, r)
	}
	p.raw("}")
}

func (p *page) raw(text string)     { _, _ = p.w.WriteString(text) }
func (p *page) null(*trace.Run)     { p.raw("null") }
func (p *page) text(s string)       { p.value(s) }
func (p *page) time(at time.Time)   { p.textUnless(at.IsZero(), written(at)+p.zone) }
func (p *page) id(id trace.ID)      { p.textUnless(id.IsZero(), id.String()) }
func (p *page) textOrNull(s string) { p.textUnless(s == "", s) }

// tokens are null of a run whose usage nobody told.
func (p *page) tokens(r *trace.Run, n int64) {
	if (r.Usage == trace.Usage{}) {
		p.raw("null")
		return
	}
	p.raw(strconv.FormatInt(n, 10))
}

func (p *page) textUnless(null bool, s string) {
	if null {
		p.raw("null")
		return
	}
	p.text(s)
}

func (p *page) value(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		p.err = err
	}
	_, _ = p.w.Write(text)
}

// content writes JSON as it was sent; it has been checked. What was removed since
// its run was read is none.
func (p *page) content(c trace.Content) {
	if c.IsZero() {
		p.raw("null")
		return
	}
	if c.Inline != nil {
		_, _ = p.w.Write(c.Inline)
		return
	}
	kept, err := p.h.Runs.Open(p.ctx, c)
	if errors.Is(err, slipway.ErrNoRow) {
		p.raw("null")
		return
	}
	if err != nil {
		p.err = err
		return
	}
	defer kept.Close()
	if _, err := io.Copy(p.w, kept); err != nil && p.ctx.Err() == nil {
		p.err = err
	}
}

// attachments are where a run's files are fetched, by the names that SDKs know.
func (p *page) attachments(r *trace.Run) map[string]any {
	if len(r.Attachments) == 0 {
		return nil
	}
	urls := map[string]any{}
	for name, a := range r.Attachments {
		urls["attachment."+name] = map[string]any{"presigned_url": p.h.attachmentURL(p.base, r, name), "mime_type": strings.TrimSpace(a.Type)}
	}
	return urls
}
