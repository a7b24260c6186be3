package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// Lines of a log where the client names no number, and what a page of
// GET /v2/deployment-logs holds (contract §2, §6).
const (
	defaultLines    = 50
	defaultPageSize = 20
	maxPageSize     = 100
)

// lineFilter is what all ways to ask for a log have in common; nil is unset.
type lineFilter struct {
	order, after, level, query, run, since, until *string
	limit                                         int
}

func (s *server) QueryBuildLogs(ctx context.Context, r wire.QueryBuildLogsRequestObject) (wire.QueryBuildLogsResponseObject, error) {
	lines, next, err := s.logs(ctx, slipway.BuildLog, r.ProjectID, r.RevisionID, filterOf(*r.Body))
	return wire.QueryBuildLogs200JSONResponse{Logs: lines, NextOffset: next}, err
}

func (s *server) QueryDeployLogs(ctx context.Context, r wire.QueryDeployLogsRequestObject) (wire.QueryDeployLogsResponseObject, error) {
	lines, next, err := s.logs(ctx, slipway.DeployLog, r.ProjectID, "", filterOf(*r.Body))
	return wire.QueryDeployLogs200JSONResponse{Logs: lines, NextOffset: next}, err
}

func (s *server) QueryRevisionDeployLogs(ctx context.Context, r wire.QueryRevisionDeployLogsRequestObject) (wire.QueryRevisionDeployLogsResponseObject, error) {
	lines, next, err := s.logs(ctx, slipway.DeployLog, r.ProjectID, r.RevisionID, filterOf(*r.Body))
	return wire.QueryRevisionDeployLogs200JSONResponse{Logs: lines, NextOffset: next}, err
}

func filterOf(b wire.LogsRequest) lineFilter {
	return lineFilter{
		order: b.Order, after: b.Offset, level: b.Level, query: b.Query, since: b.StartTime, until: b.EndTime,
		limit: valueOr(b.Limit, defaultLines),
	}
}

func (s *server) ListRevisionLogs(ctx context.Context, r wire.ListRevisionLogsRequestObject) (wire.ListRevisionLogsResponseObject, error) {
	p := r.Params
	lines, next, err := s.logs(ctx, slipway.LogKind(p.Type), r.DeploymentID, r.RevisionID, lineFilter{
		order: p.Order, after: p.Offset, level: p.Level, query: p.Query, run: p.RunID, since: p.StartTime, until: p.EndTime,
		limit: valueOr(p.Limit, defaultLines),
	})
	return wire.ListRevisionLogs200JSONResponse{Logs: lines, NextOffset: next}, err
}

func (s *server) ListDeploymentLogs(ctx context.Context, r wire.ListDeploymentLogsRequestObject) (wire.ListDeploymentLogsResponseObject, error) {
	p := r.Params
	kind := slipway.LogKind(strings.ToLower(valueOr(p.LogType, "DEPLOY")))
	lines, next, err := s.logs(ctx, kind, p.DeploymentID, value(p.RevisionID), lineFilter{
		order: p.SortOrder, after: p.Cursor, level: p.Level, query: p.Query, run: p.RunID, since: p.StartTime, until: p.EndTime,
		limit: min(valueOr(p.PageSize, defaultPageSize), maxPageSize),
	})
	return wire.ListDeploymentLogs200JSONResponse{Items: lines, NextCursor: next}, err
}

// logs returns lines, and what to send to go on after them.
func (s *server) logs(ctx context.Context, kind slipway.LogKind, deployment, revision string, f lineFilter) ([]wire.LogLine, string, error) {
	q, err := f.ask()
	if err != nil {
		return nil, "", err
	}
	q.Kind, q.Deployment, q.Revision = kind, slipway.DeploymentID(deployment), slipway.RevisionID(revision)
	found, next, err := s.Control.Logs(ctx, principal(ctx), q)
	if err != nil {
		return nil, "", err
	}
	lines := make([]wire.LogLine, len(found))
	for i, l := range found {
		lines[i] = wire.LogLine{
			ID: l.Origin + ":" + strconv.FormatInt(l.Offset, 10), Timestamp: wire.NewTime(l.At), Level: l.Level, Message: l.Message,
		}
	}
	return lines, strconv.FormatInt(next, 10), nil
}

func (f lineFilter) ask() (q slipway.LogQuery, err error) {
	q = slipway.LogQuery{Level: value(f.level), Contains: value(f.query), Run: value(f.run), Newest: value(f.order) == "desc", Limit: f.limit}
	if after := value(f.after); after != "" {
		if q.After, err = strconv.ParseInt(after, 10, 64); err != nil || q.After < 0 {
			return q, slipway.Errorf(slipway.CodeInvalid, "Invalid offset or cursor: send what an earlier answer said to send next.")
		}
	}
	if q.Since, err = logTime("start_time", f.since); err != nil {
		return q, err
	}
	q.Until, err = logTime("end_time", f.until)
	return q, err
}

func logTime(name string, text *string) (time.Time, error) {
	if value(text) == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, *text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, slipway.Errorf(slipway.CodeInvalid, "Invalid %s %q: use ISO 8601, such as 2026-01-31T12:00:00Z.", name, *text)
}
