package service

import (
	"context"

	"github.com/slipwayhq/slipway"
)

// maxLines is the most that one answer holds; more is cut, not refused
// (contract §6).
const maxLines = 1000

// Logs returns lines of the caller's deployment, and the position to go on
// from: past the last line, or where the query began if there is none.
func (s *Service) Logs(ctx context.Context, who slipway.Principal, q slipway.LogQuery) ([]slipway.StoredLine, int64, error) {
	q.Limit = min(max(q.Limit, 1), maxLines)
	var lines []slipway.StoredLine
	err := s.read(ctx, func(c *change) error {
		if _, err := c.owned(who, q.Deployment); err != nil {
			return err
		}
		if q.Revision != "" {
			if _, err := c.ownedRevision(who, q.Deployment, q.Revision); err != nil {
				return err
			}
		}
		var err error
		lines, err = c.QueryLogs(q)
		return err
	})
	next := q.After
	if len(lines) > 0 {
		next = lines[len(lines)-1].Position
	}
	return lines, next, wrap("read logs", err)
}
