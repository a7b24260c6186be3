package store

import (
	"cmp"
	"database/sql"
	"errors"
	"math"
	"slices"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

// AppendLogs leaves out lines of deployments that are gone: nobody could ask
// for them.
func (t Tx) AppendLogs(lines []slipway.LogLine) error {
	for len(lines) > 0 {
		n := sameDeployment(lines)
		if err := t.appendOf(lines[0].Deployment, lines[:n]); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// sameDeployment counts the lines that belong to the deployment of the first.
func sameDeployment(lines []slipway.LogLine) int {
	n := slices.IndexFunc(lines, func(l slipway.LogLine) bool { return l.Deployment != lines[0].Deployment })
	if n < 0 {
		return len(lines)
	}
	return n
}

func (t Tx) appendOf(d slipway.DeploymentID, lines []slipway.LogLine) error {
	last, err := t.q.ReserveLogPositions(t.ctx, db.ReserveLogPositionsParams{DeploymentID: string(d), Count: int64(len(lines))})
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return did(err, "reserve log positions of", d)
	}
	first := last - int64(len(lines)) + 1
	for i, l := range lines {
		if err := t.q.InsertLogLine(t.ctx, logRow(l, first+int64(i))); err != nil {
			return did(err, "append log line of", d)
		}
	}
	return nil
}

func (t Tx) LogEnd(d slipway.DeploymentID, origin string) (int64, error) {
	end, err := t.q.LogEnd(t.ctx, db.LogEndParams{DeploymentID: string(d), Origin: origin})
	return end, did(err, "log end of", origin)
}

// QueryLogs asks by kind, as the index has it, and merges where both are wanted.
func (t Tx) QueryLogs(q slipway.LogQuery) ([]slipway.StoredLine, error) {
	kinds := []slipway.LogKind{q.Kind}
	if q.Kind == "" {
		kinds = []slipway.LogKind{slipway.BuildLog, slipway.DeployLog}
	}
	lines := []slipway.StoredLine{}
	for _, kind := range kinds {
		rows, err := t.selectLines(q, kind)
		more, err := many(rows, err, sure(storedLine), "query logs of", q.Deployment)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	if len(kinds) > 1 {
		lines = inOrder(lines, q)
	}
	return lines, nil
}

func inOrder(lines []slipway.StoredLine, q slipway.LogQuery) []slipway.StoredLine {
	slices.SortFunc(lines, func(a, b slipway.StoredLine) int {
		if q.Newest {
			a, b = b, a
		}
		return cmp.Compare(a.Position, b.Position)
	})
	return lines[:min(int64(len(lines)), maxRows(q.Limit))]
}

// selectLines picks one of four queries that differ in order and in whether one
// revision is meant.
func (t Tx) selectLines(q slipway.LogQuery, kind slipway.LogKind) ([]db.LogLine, error) {
	p := lineParams(q, kind)
	switch {
	case q.Revision != "" && q.Newest:
		return t.q.ListRevisionLogBack(t.ctx, db.ListRevisionLogBackParams(p))
	case q.Revision != "":
		return t.q.ListRevisionLog(t.ctx, p)
	}
	all := db.ListDeploymentLogParams{
		DeploymentID: p.DeploymentID, Kind: p.Kind, After: p.After, Since: p.Since, Until: p.Until,
		Level: p.Level, Pattern: p.Pattern, Run: p.Run, MaxRows: p.MaxRows,
	}
	if q.Newest {
		return t.q.ListDeploymentLogBack(t.ctx, db.ListDeploymentLogBackParams(all))
	}
	return t.q.ListDeploymentLog(t.ctx, all)
}

func lineParams(q slipway.LogQuery, kind slipway.LogKind) db.ListRevisionLogParams {
	p := db.ListRevisionLogParams{
		DeploymentID: string(q.Deployment),
		RevisionID:   string(q.Revision),
		Kind:         string(kind),
		After:        q.After,
		Since:        micros(q.Since),
		Until:        math.MaxInt64,
		Level:        null(q.Level),
		Pattern:      pattern(q.Contains),
		Run:          pattern(q.Run),
		MaxRows:      maxRows(q.Limit),
	}
	if q.Newest && q.After == 0 {
		p.After = math.MaxInt64
	}
	if !q.Until.IsZero() {
		p.Until = micros(q.Until)
	}
	return p
}

func logRow(l slipway.LogLine, position int64) db.InsertLogLineParams {
	return db.InsertLogLineParams{
		DeploymentID: string(l.Deployment),
		Kind:         string(l.Kind),
		Position:     position,
		RevisionID:   string(l.Revision),
		Origin:       l.Origin,
		EndOffset:    l.Offset,
		At:           micros(l.At),
		Level:        l.Level,
		Message:      l.Message,
	}
}

func storedLine(r db.LogLine) slipway.StoredLine {
	return slipway.StoredLine{
		Position: r.Position,
		LogLine: slipway.LogLine{
			Deployment: slipway.DeploymentID(r.DeploymentID),
			Revision:   slipway.RevisionID(r.RevisionID),
			Kind:       slipway.LogKind(r.Kind),
			Origin:     r.Origin,
			Offset:     r.EndOffset,
			At:         moment(r.At),
			Level:      r.Level,
			Message:    r.Message,
		},
	}
}
