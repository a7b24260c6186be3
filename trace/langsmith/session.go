package langsmith

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// session is a project as SDKs see it. They want every key of the first group.
type session struct {
	ID               slipway.ProjectID   `json:"id"`
	TenantID         slipway.WorkspaceID `json:"tenant_id"`
	ReferenceDataset *string             `json:"reference_dataset_id"`
	Name             string              `json:"name"`
	StartTime        string              `json:"start_time"`
	EndTime          *string             `json:"end_time"`
	Description      *string             `json:"description"`
	Extra            json.RawMessage     `json:"extra"`

	RunCount         *int     `json:"run_count"`
	RootCount        *int     `json:"slipway_root_run_count"`
	LatencyP50       *float64 `json:"latency_p50"` // seconds
	LatencyP99       *float64 `json:"latency_p99"` // seconds
	ErrorRate        *float64 `json:"error_rate"`
	LastRunStartTime *string  `json:"last_run_start_time"`
	TotalTokens      *int64   `json:"total_tokens"`
	PromptTokens     *int64   `json:"prompt_tokens"`
	CompletionTokens *int64   `json:"completion_tokens"`
}

const (
	defaultSessions = 100
	maxSessions     = 1000
)

func (h *Handler) listSessions(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	q := r.URL.Query()
	f, none, err := readSessionFilter(q)
	if err != nil {
		return err
	}
	var found []slipway.TracingProject
	if !none {
		if found, err = h.Projects.ListProjects(r.Context(), who, f); err != nil {
			return err
		}
	}
	return h.answerSessions(w, r, found, func(s []session) any { return s })
}

// readSessionFilter reads how a list is narrowed, and says whether nothing can be
// in it: there are no datasets here.
func readSessionFilter(q url.Values) (f slipway.ProjectFilter, none bool, err error) {
	f = slipway.ProjectFilter{Name: q.Get("name"), NameContains: q.Get("name_contains")}
	none = q.Has("name") && f.Name == ""
	for _, id := range q["id"] {
		f.IDs = append(f.IDs, slipway.ProjectID(strings.ToLower(id)))
	}
	if f.Limit, err = number(q, "limit", defaultSessions, 1, maxSessions); err != nil {
		return f, none, err
	}
	if f.Offset, err = number(q, "offset", 0, 0, 1<<31-1); err != nil {
		return f, none, err
	}
	free, told, err := truth(q, "reference_free")
	if err != nil {
		return f, none, err
	}
	none = none || q.Get("reference_dataset") != "" || told && !free
	for _, other := range []string{"metadata", "filter", "tag_value_id", "dataset_version"} {
		if q.Get(other) != "" {
			return f, none, slipway.Errorf(slipway.CodeInvalid, "Projects are not found by %s here: use id, name or name_contains.", other)
		}
	}
	if by := q.Get("sort_by"); by != "" && by != "start_time" {
		return f, none, slipway.Errorf(slipway.CodeInvalid, "Projects are sorted by start_time, newest first.")
	}
	return f, none, nil
}

func number(q url.Values, name string, unset, least, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, slipway.Errorf(slipway.CodeInvalid, "%s must be a number from %d to %d.", name, least, most)
	}
	return n, nil
}

// truth reads a parameter that Python writes True.
func truth(q url.Values, name string) (value, told bool, err error) {
	text := q.Get(name)
	if text == "" {
		return false, false, nil
	}
	if value, err = strconv.ParseBool(strings.ToLower(text)); err != nil {
		return false, true, slipway.Errorf(slipway.CodeInvalid, "%s must be true or false.", name)
	}
	return value, true, nil
}

func (h *Handler) getSession(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	p, err := h.Projects.GetProject(r.Context(), who, sessionID(r))
	return h.answerSession(w, r, p, err)
}

func sessionID(r *http.Request) slipway.ProjectID {
	return slipway.ProjectID(strings.ToLower(r.PathValue("session")))
}

// sessionBody is what a client says of a project. What is null is as what is
// absent.
type sessionBody struct {
	ID          string          `json:"id"`
	Name        *string         `json:"name"`
	Description *string         `json:"description"`
	Extra       json.RawMessage `json:"extra"`
	EndTime     json.RawMessage `json:"end_time"`
	Dataset     *string         `json:"reference_dataset_id"`
}

func (h *Handler) readSession(w http.ResponseWriter, r *http.Request) (s sessionBody, err error) {
	b, err := h.openBody(w, r)
	if err != nil {
		return s, err
	}
	defer b.close()
	if err = b.readJSON(&s); err == nil && s.Dataset != nil {
		err = slipway.Errorf(slipway.CodeInvalid, "There are no datasets here: leave reference_dataset_id out.")
	}
	if bytes.Equal(s.Extra, []byte("null")) {
		s.Extra = nil
	}
	return s, err
}

func (h *Handler) createSession(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	upsert, _, err := truth(r.URL.Query(), "upsert")
	if err != nil {
		return err
	}
	s, err := h.readSession(w, r)
	if err != nil {
		return err
	}
	n := slipway.NewProject{ID: slipway.ProjectID(strings.ToLower(s.ID)), Extra: string(s.Extra), Upsert: upsert}
	if s.Name != nil {
		n.Name = *s.Name
	}
	if s.Description != nil {
		n.Description = *s.Description
	}
	p, err := h.Projects.CreateProject(r.Context(), who, n)
	if err == nil && p.ID == n.ID { // one of that identity may have been deleted just now
		err = h.Runs.Expect(r.Context(), p.ID)
	}
	return h.answerSession(w, r, p, err)
}

func (h *Handler) updateSession(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	s, err := h.readSession(w, r)
	if err != nil {
		return err
	}
	patch := slipway.ProjectPatch{Name: s.Name, Description: s.Description}
	if s.Extra != nil {
		patch.Extra = new(string(s.Extra))
	}
	ended, err := readTime(s.EndTime)
	if err != nil {
		return err
	}
	if !ended.IsZero() {
		patch.EndedAt = &ended
	}
	p, err := h.Projects.UpdateProject(r.Context(), who, sessionID(r), patch)
	return h.answerSession(w, r, p, err)
}

func (h *Handler) deleteSession(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	if err := h.Projects.DeleteProject(r.Context(), who, sessionID(r)); err != nil {
		return err
	}
	answer(w, http.StatusAccepted, struct{}{})
	return nil
}

func (h *Handler) answerSession(w http.ResponseWriter, r *http.Request, p slipway.TracingProject, err error) error {
	if err != nil {
		return err
	}
	return h.answerSessions(w, r, []slipway.TracingProject{p}, func(s []session) any { return s[0] })
}

// answerSessions shows projects of one workspace, with what is known of their
// runs unless the client says that it does not want that.
func (h *Handler) answerSessions(w http.ResponseWriter, r *http.Request, found []slipway.TracingProject, shape func([]session) any) error {
	want, told, err := truth(r.URL.Query(), "include_stats")
	if err != nil {
		return err
	}
	var stats map[slipway.ProjectID]trace.Stats
	if len(found) > 0 && (want || !told) {
		var ids []slipway.ProjectID
		for _, p := range found {
			ids = append(ids, p.ID)
		}
		if stats, err = h.Runs.Stats(r.Context(), ids); err != nil {
			return err
		}
	}
	sessions := []session{}
	for _, p := range found {
		s := presentProject(p)
		if want || !told {
			s.count(stats[p.ID])
		}
		sessions = append(sessions, s)
	}
	answer(w, http.StatusOK, shape(sessions))
	return nil
}

func presentProject(p slipway.TracingProject) session {
	s := session{ID: p.ID, TenantID: p.Workspace, Name: p.Name, StartTime: written(p.CreatedAt), EndTime: writtenOrNull(p.EndedAt)}
	if p.Description != "" {
		s.Description = &p.Description
	}
	if p.Extra != "" {
		s.Extra = json.RawMessage(p.Extra)
	}
	return s
}

func writtenOrNull(at time.Time) *string {
	if at.IsZero() {
		return nil
	}
	return new(written(at))
}

func (s *session) count(known trace.Stats) {
	s.RunCount, s.RootCount, s.LastRunStartTime = &known.Runs, &known.Roots, writtenOrNull(known.Last)
	s.TotalTokens, s.PromptTokens, s.CompletionTokens = new(known.Usage.Total()), &known.Usage.Prompt, &known.Usage.Completion
	if rate, ok := known.ErrorRate(); ok {
		s.ErrorRate = &rate
	}
	for q, to := range map[float64]**float64{0.5: &s.LatencyP50, 0.99: &s.LatencyP99} {
		if d, ok := known.Latency.Quantile(q); ok {
			*to = new(d.Seconds())
		}
	}
}
