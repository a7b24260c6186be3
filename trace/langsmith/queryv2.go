package langsmith

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// runQueryV2 is what newer SDKs ask by.
type runQueryV2 struct {
	ProjectIDs   []string        `json:"project_ids"`
	IDs          []string        `json:"ids"`
	TraceID      string          `json:"trace_id"`
	RunType      string          `json:"run_type"`
	IsRoot       *bool           `json:"is_root"`
	HasError     *bool           `json:"has_error"`
	MinStartTime json.RawMessage `json:"min_start_time"`
	MaxStartTime json.RawMessage `json:"max_start_time"`
	References   json.RawMessage `json:"reference_examples"`
	Filter       string          `json:"filter"`
	TraceFilter  string          `json:"trace_filter"`
	PageSize     int             `json:"page_size"`
	Cursor       string          `json:"cursor"`
	Selects      []string        `json:"selects"`
}

// lastDay is how far back a query of this version looks that does not say.
const lastDay = 24 * time.Hour

// columnsV2 are the fields of a run, in the second version of the protocol.
// Clients name them in capitals.
var columnsV2 = append(slices.DeleteFunc(slices.Clone(columns), func(c column) bool {
	return slices.Contains([]string{"id", "name", "run_type", "start_time", "status", "parent_run_id", "session_id", "serialized", "s3_urls"}, c.name)
}),
	column{"id", 0, true, func(p *page, r *trace.Run) { p.text(r.ID.String()) }},
	column{"name", 0, false, func(p *page, r *trace.Run) { p.text(r.Name) }},
	column{"run_type", 0, false, func(p *page, r *trace.Run) { p.text(strings.ToUpper(r.Type)) }},
	column{"status", 0, false, func(p *page, r *trace.Run) { p.text(strings.ToUpper(string(r.Status()))) }},
	column{"start_time", 0, false, func(p *page, r *trace.Run) { p.time(r.Start) }},
	column{"project_id", 0, false, func(p *page, r *trace.Run) { p.text(string(r.Project)) }},
	column{"is_root", 0, false, func(p *page, r *trace.Run) { p.value(r.Root()) }},
	column{"latency_seconds", 0, false, func(p *page, r *trace.Run) {
		if d, ok := r.Latency(); ok {
			p.value(d.Seconds())
			return
		}
		p.null(r)
	}},
	column{"metadata", trace.FieldExtra, false, func(p *page, r *trace.Run) {
		var extra struct {
			Metadata json.RawMessage `json:"metadata"`
		}
		_ = json.Unmarshal(r.Extra.Inline, &extra) // what is no object has none
		p.value(extra.Metadata)
	}},
	column{"manifest", trace.FieldSerialized, false, func(p *page, r *trace.Run) { p.content(r.Serialized) }},
	column{"attachments", trace.FieldAttachments, false, func(p *page, r *trace.Run) {
		urls := map[string]string{}
		for name := range r.Attachments {
			urls[name] = p.h.attachmentURL(p.base, r, name)
		}
		p.value(urls)
	}},
)

// chooseV2 returns the columns that are selected, the identity alone if none is.
func chooseV2(selected []string) ([]column, trace.Fields) {
	names := []string{"id"}
	for _, s := range selected {
		names = append(names, strings.ToLower(s))
	}
	return choose(columnsV2, names)
}

// queryRunsV2 answers POST /api/v2/runs/query.
func (h *Handler) queryRunsV2(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	var asked runQueryV2
	if err := h.readQuery(w, r, &asked); err != nil {
		return err
	}
	q, err := asked.query(who, h.Now())
	if err != nil {
		return err
	}
	chosen, needs := chooseV2(asked.Selects)
	q.Select = needs
	share, err := h.takeShare(r.Context())
	if err != nil {
		return err
	}
	defer share.giveBack()
	found, err := h.find(r.Context(), who, q)
	if err != nil {
		return err
	}
	share.shrink(found.Runs)
	after := "]}"
	if !found.Next.IsZero() {
		next, _ := json.Marshal(found.Next.String())
		after = `],"next_cursor":` + string(next) + "}"
	}
	h.writeRuns(w, r, `{"items":[`, found.Runs, chosen, after, "Z")
	return nil
}

func (a *runQueryV2) query(who slipway.Principal, now time.Time) (trace.Query, error) {
	q := trace.Query{Workspace: who.Workspace, Type: strings.ToLower(a.RunType), Root: a.IsRoot, Error: a.HasError, Limit: a.PageSize}
	for _, s := range a.ProjectIDs {
		q.Projects = append(q.Projects, slipway.ProjectID(strings.ToLower(s)))
	}
	reference, err := single(a.References)
	if err != nil {
		return q, err
	}
	if err := readPlaces(&q, a.IDs, a.TraceID, "", reference); err != nil {
		return q, err
	}
	if q.Since, err = readTime(a.MinStartTime); err != nil {
		return q, err
	}
	if q.Since.IsZero() {
		q.Since = now.Add(-lastDay)
	}
	if q.Until, err = readTime(a.MaxStartTime); err != nil {
		return q, err
	}
	return q, readConditions(&q, a.Filter, a.TraceFilter, a.Cursor)
}

// getRunV2 answers GET /api/v2/runs/{run}.
func (h *Handler) getRunV2(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	id, err := trace.ParseID(r.PathValue("run"))
	if err != nil {
		return err
	}
	chosen, needs := chooseV2(r.URL.Query()["selects"])
	share, err := h.takeShare(r.Context())
	if err != nil {
		return err
	}
	defer share.giveBack()
	run, err := h.visibleRun(r.Context(), who, id, needs)
	if err != nil {
		return err
	}
	share.shrink([]trace.Run{run})
	if asked := r.URL.Query().Get("project_id"); asked != "" && !strings.EqualFold(asked, string(run.Project)) {
		return slipway.Errorf(slipway.CodeNotFound, "Run %s not found.", id)
	}
	runs := []trace.Run{run}
	if err := h.placeAll(h.viewOf(r.Context(), who), runs); err != nil {
		return err
	}
	h.writeRuns(w, r, "", runs, chosen, "", "Z")
	return nil
}
