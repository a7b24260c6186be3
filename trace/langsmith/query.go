package langsmith

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// runQuery is what SDKs ask by. What is null is as what is absent.
type runQuery struct {
	Session        []string        `json:"session"`
	SessionID      string          `json:"session_id"` // of one, as some callers have it
	ID             []string        `json:"id"`
	Trace          string          `json:"trace"`
	ParentRun      string          `json:"parent_run"`
	Reference      json.RawMessage `json:"reference_example"`
	RunType        string          `json:"run_type"`
	IsRoot         *bool           `json:"is_root"`
	ExecutionOrder *int            `json:"execution_order"`
	Error          *bool           `json:"error"`
	StartTime      json.RawMessage `json:"start_time"`
	EndTime        json.RawMessage `json:"end_time"`
	Filter         string          `json:"filter"`
	TraceFilter    string          `json:"trace_filter"`
	Query          string          `json:"query"`
	Order          string          `json:"order"`
	Limit          int             `json:"limit"`
	Cursor         string          `json:"cursor"`
	Select         []string        `json:"select"`
	// These change nothing of what is found.
	SkipPagination json.RawMessage `json:"skip_pagination"`
	SkipPrevious   json.RawMessage `json:"skip_prev_cursor"`
}

// queryRuns answers POST /runs/query.
func (h *Handler) queryRuns(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	var asked runQuery
	if err := h.readQuery(w, r, &asked); err != nil {
		return err
	}
	q, err := asked.query(who)
	if err != nil {
		return err
	}
	chosen, needs := choose(columns, asked.Select)
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
	next := []byte("null")
	if !found.Next.IsZero() {
		next, _ = json.Marshal(found.Next.String())
	}
	h.writeRuns(w, r, `{"runs":[`, found.Runs, chosen, `],"cursors":{"next":`+string(next)+`,"prev":null}}`, "")
	return nil
}

// maxAsked bounds a query, in bytes.
const maxAsked = 1 << 20

// readQuery reads a query strictly: a condition that was passed over would find
// what was not asked for.
func (h *Handler) readQuery(w http.ResponseWriter, r *http.Request, into any) error {
	b, err := h.openBody(w, r)
	if err != nil {
		return err
	}
	defer b.close()
	var text json.RawMessage
	if err := b.readJSON(&text); err != nil {
		return err
	}
	if len(text) > maxAsked {
		return slipway.Errorf(slipway.CodeTooLarge, "A query has at most %d MiB.", maxAsked>>20)
	}
	return decodeStrictly(text, into)
}

// query is what is asked of the store.
func (a *runQuery) query(who slipway.Principal) (trace.Query, error) {
	q := trace.Query{Workspace: who.Workspace, Type: a.RunType, Root: a.IsRoot, Error: a.Error, Text: a.Query, Limit: a.Limit}
	if a.ExecutionOrder != nil && *a.ExecutionOrder == 1 {
		q.Root = new(true)
	}
	if a.SessionID != "" {
		a.Session = append(a.Session, a.SessionID)
	}
	for _, s := range a.Session {
		q.Projects = append(q.Projects, slipway.ProjectID(strings.ToLower(s)))
	}
	reference, err := single(a.Reference)
	if err != nil {
		return q, err
	}
	if err := readPlaces(&q, a.ID, a.Trace, a.ParentRun, reference); err != nil {
		return q, err
	}
	switch a.Order {
	case "", "desc":
	case "asc":
		q.Oldest = true
	default:
		return q, slipway.Errorf(slipway.CodeInvalid, "order is asc or desc, of the start.")
	}
	if q.Since, err = readTime(a.StartTime); err != nil {
		return q, err
	}
	if q.Until, err = readTime(a.EndTime); err != nil {
		return q, err
	}
	return q, readConditions(&q, a.Filter, a.TraceFilter, a.Cursor)
}

// readPlaces reads which runs are meant.
func readPlaces(q *trace.Query, ids []string, traceID, parent, reference string) error {
	for _, text := range ids {
		id, err := trace.ParseID(text)
		if err != nil {
			return err
		}
		q.IDs = append(q.IDs, id)
	}
	for _, c := range []struct {
		text string
		to   *trace.ID
	}{{traceID, &q.Trace}, {parent, &q.Parent}, {reference, &q.Reference}} {
		if c.text == "" {
			continue
		}
		var err error
		if *c.to, err = trace.ParseID(c.text); err != nil {
			return err
		}
	}
	if len(q.Projects)+len(q.IDs) == 0 && q.Trace.IsZero() && q.Parent.IsZero() && q.Reference.IsZero() {
		return slipway.Errorf(slipway.CodeInvalid, "Say in which projects, or of which runs, trace, parent or example.")
	}
	return nil
}

func readConditions(q *trace.Query, filter, ofRoot, cursor string) (err error) {
	if filter != "" {
		if q.Filter, err = trace.ParseFilter(filter); err != nil {
			return err
		}
	}
	if ofRoot != "" {
		if q.OfRoot, err = trace.ParseFilter(ofRoot); err != nil {
			return err
		}
	}
	if cursor != "" {
		if q.After, err = trace.ParseCursor(cursor); err != nil {
			return err
		}
	}
	return q.Check()
}

// single reads the only one of a list, which some clients send as itself.
func single(text json.RawMessage) (string, error) {
	var one string
	var list []string
	if len(text) == 0 || string(text) == "null" || json.Unmarshal(text, &one) == nil {
		return one, nil
	}
	if json.Unmarshal(text, &list) != nil || len(list) > 1 {
		return "", slipway.Errorf(slipway.CodeInvalid, "reference_example is one UUID.")
	}
	return strings.Join(list, ""), nil
}

// maxHeavy bounds a page of runs with their values, which are in memory until it
// is written. Clients go on by its cursor.
const maxHeavy = 100

// maxEmpty is how many parts of a query are looked through for the first run of a
// page. A part is what the store looks at in one go.
const maxEmpty = 10

// find returns runs that somebody may see. An SDK takes an empty page for the
// last one, so that there is none before the end: what takes too long to look
// through is an error that says where to go on.
func (h *Handler) find(ctx context.Context, who slipway.Principal, q trace.Query) (trace.Page, error) {
	if q.Select&trace.Heavy != 0 {
		q.Limit = min(q.Limit, maxHeavy)
	}
	v := h.viewOf(ctx, who)
	q.Sees = v.sees
	for _, p := range q.Projects {
		ok, err := v.sees(p)
		if err == nil && !ok {
			err = slipway.Errorf(slipway.CodeNotFound, "Project ID %.100s not found.", p)
		}
		if err != nil {
			return trace.Page{}, err
		}
	}
	for part := 1; ; part++ {
		found, err := h.Runs.Query(ctx, q)
		if err != nil {
			return found, err
		}
		if q.After = found.Next; len(found.Runs) > 0 || q.After.IsZero() {
			return found, h.placeAll(v, found.Runs)
		}
		if part == maxEmpty {
			return found, slipway.Errorf(slipway.CodeInvalid, "Nothing matches among the runs that were looked at, up to one that began at %sZ, and there are more. Go on with the cursor %q, or give start_time, or a condition by which runs are found sooner.", written(q.After.Start), q.After)
		}
	}
}

// placeAll gives an order to runs that were sent without one.
func (h *Handler) placeAll(v *view, runs []trace.Run) error {
	orders := map[trace.ID]map[trace.ID]trace.Order{}
	for i := range runs {
		r := &runs[i]
		if r.Order != "" {
			continue
		}
		if orders[r.Trace] == nil {
			all, err := h.Runs.Trace(v.ctx, v.who.Workspace, r.Trace, v.sees)
			if err != nil {
				return err
			}
			orders[r.Trace] = map[trace.ID]trace.Order{}
			for _, one := range all {
				orders[r.Trace][one.ID] = one.Order
			}
		}
		r.Order = orders[r.Trace][r.ID]
		if above := ancestors(r); len(above) > 0 {
			r.Parent, _ = trace.ParseID(above[len(above)-1]) // which may be the root, where the parent has not come
		}
	}
	return nil
}

// view remembers which projects somebody sees.
type view struct {
	ctx      context.Context
	projects Projects
	who      slipway.Principal
	seen     map[slipway.ProjectID]bool
}

func (h *Handler) viewOf(ctx context.Context, who slipway.Principal) *view {
	return &view{ctx, h.Projects, who, map[slipway.ProjectID]bool{}}
}

func (v *view) sees(id slipway.ProjectID) (bool, error) {
	seen, known := v.seen[id]
	if known {
		return seen, nil
	}
	_, err := v.projects.GetProject(v.ctx, v.who, id)
	if err != nil && !slices.Contains([]slipway.Code{slipway.CodeNotFound, slipway.CodeInvalid}, slipway.CodeOf(err)) {
		return false, err
	}
	v.seen[id] = err == nil
	return err == nil, nil
}

// visibleRun returns a run that somebody may see.
func (h *Handler) visibleRun(ctx context.Context, who slipway.Principal, id trace.ID, some trace.Fields) (trace.Run, error) {
	r, err := h.Runs.Run(ctx, who.Workspace, id, some)
	if err != nil && !errors.Is(err, slipway.ErrNoRow) {
		return r, err
	}
	if err == nil {
		seen, err := h.viewOf(ctx, who).sees(r.Project)
		if err != nil || seen {
			return r, err
		}
	}
	return trace.Run{}, slipway.Errorf(slipway.CodeNotFound, "Run %s not found.", id)
}

// getRun answers GET /runs/{run}.
func (h *Handler) getRun(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	id, err := trace.ParseID(r.PathValue("run"))
	if err != nil {
		return err
	}
	chosen, needs := choose(columns, nil)
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
	runs := []trace.Run{run}
	if err := h.placeAll(h.viewOf(r.Context(), who), runs); err != nil {
		return err
	}
	h.writeRuns(w, r, "", runs, chosen, "", "")
	return nil
}
