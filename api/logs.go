package api

import (
	"context"
	"strconv"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// defaultLines is the number of log lines where the client names none.
const defaultLines = 50

func (s *server) QueryBuildLogs(ctx context.Context, r wire.QueryBuildLogsRequestObject) (wire.QueryBuildLogsResponseObject, error) {
	page, err := s.logs(ctx, slipway.BuildLog, r.ProjectID, r.RevisionID, *r.Body)
	return wire.QueryBuildLogs200JSONResponse(page), err
}

func (s *server) QueryDeployLogs(ctx context.Context, r wire.QueryDeployLogsRequestObject) (wire.QueryDeployLogsResponseObject, error) {
	page, err := s.logs(ctx, slipway.DeployLog, r.ProjectID, "", *r.Body)
	return wire.QueryDeployLogs200JSONResponse(page), err
}

func (s *server) QueryRevisionDeployLogs(ctx context.Context, r wire.QueryRevisionDeployLogsRequestObject) (wire.QueryRevisionDeployLogsResponseObject, error) {
	page, err := s.logs(ctx, slipway.DeployLog, r.ProjectID, r.RevisionID, *r.Body)
	return wire.QueryRevisionDeployLogs200JSONResponse(page), err
}

func (s *server) logs(ctx context.Context, kind slipway.LogKind, deployment, revision string, b wire.LogsRequest) (wire.LogsPage, error) {
	q, err := logQuery(b)
	if err != nil {
		return wire.LogsPage{}, err
	}
	q.Kind, q.Deployment, q.Revision = kind, slipway.DeploymentID(deployment), slipway.RevisionID(revision)
	lines, next, err := s.Control.Logs(ctx, principal(ctx), q)
	if err != nil {
		return wire.LogsPage{}, err
	}
	page := wire.LogsPage{Logs: make([]wire.LogLine, len(lines)), NextOffset: strconv.FormatInt(next, 10)}
	for i, l := range lines {
		page.Logs[i] = wire.LogLine{
			ID: l.Origin + ":" + strconv.FormatInt(l.Offset, 10), Timestamp: wire.NewTime(l.At), Level: l.Level, Message: l.Message,
		}
	}
	return page, nil
}

func logQuery(b wire.LogsRequest) (q slipway.LogQuery, err error) {
	q = slipway.LogQuery{Level: value(b.Level), Contains: value(b.Query), Newest: value(b.Order) == "desc", Limit: valueOr(b.Limit, defaultLines)}
	if offset := value(b.Offset); offset != "" {
		if q.After, err = strconv.ParseInt(offset, 10, 64); err != nil {
			return q, slipway.Errorf(slipway.CodeInvalid, "Invalid offset: send the next_offset of an earlier answer.")
		}
	}
	if q.Since, err = logTime("start_time", b.StartTime); err != nil {
		return q, err
	}
	q.Until, err = logTime("end_time", b.EndTime)
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

func (s *server) ListRevisionLogs(context.Context, wire.ListRevisionLogsRequestObject) (wire.ListRevisionLogsResponseObject, error) {
	return nil, notYet("Reading a log by GET")
}

func (s *server) ListDeploymentLogs(context.Context, wire.ListDeploymentLogsRequestObject) (wire.ListDeploymentLogsResponseObject, error) {
	return nil, notYet("Reading a log by GET")
}
