package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

const linesPerPage = 1000

// LogOptions selects lines. The zero value selects all there are.
type LogOptions struct {
	Level    string // exactly this one
	Contains string
	Since    time.Time
	Tail     int // only the last so many; 0 for all
	// Follow goes on with new lines until ctx ends; a build's log ends with the
	// build.
	Follow bool
}

// BuildLogs yields what the build of a revision says, oldest first. It ends
// after an error.
func (c *Client) BuildLogs(ctx context.Context, deployment, revision string, o LogOptions) iter.Seq2[wire.LogLine, error] {
	l := logReader{client: c, path: logPath(deployment, revision, "/build_logs"), options: o, ended: func(ctx context.Context) (bool, error) {
		r, err := c.Revision(ctx, deployment, revision)
		return err == nil && built(r.Status), err
	}}
	return l.lines(ctx)
}

// DeployLogs yields what the instances of a revision say, oldest first; those
// of all revisions if revision is "". It ends after an error.
func (c *Client) DeployLogs(ctx context.Context, deployment, revision string, o LogOptions) iter.Seq2[wire.LogLine, error] {
	l := logReader{client: c, path: logPath(deployment, revision, "/deploy_logs"), options: o, ended: never}
	return l.lines(ctx)
}

func logPath(deployment, revision, kind string) string {
	path := "/v1/projects/" + url.PathEscape(deployment)
	if revision != "" {
		path += "/revisions/" + url.PathEscape(revision)
	}
	return path + kind
}

func never(context.Context) (bool, error) { return false, nil }

// built says whether the build of a revision in that status is over.
func built(status string) bool {
	s := slipway.RevisionStatus(status)
	return s.Ended() || s == slipway.AwaitingDeploy || s == slipway.Deploying
}

// logReader reads one log.
type logReader struct {
	client  *Client
	path    string
	options LogOptions
	ended   func(context.Context) (bool, error) // whether nothing is going to be added
}

type yieldLine = func(wire.LogLine, error) bool

func (l *logReader) lines(ctx context.Context) iter.Seq2[wire.LogLine, error] {
	return func(yield yieldLine) {
		request, seen := l.request(), map[string]bool{}
		if l.options.Tail > 0 {
			tail, err := l.tail(ctx)
			if err != nil || !yieldAll(tail, seen, yield) || !l.options.Follow {
				yieldError(err, yield)
				return
			}
			if len(tail) > 0 { // the start is inclusive: what was seen is left out by its id
				request.StartTime = new(tail[len(tail)-1].Timestamp.String())
			}
		}
		yieldError(l.forward(ctx, request, seen, yield), yield)
	}
}

func yieldError(err error, yield yieldLine) {
	if err != nil {
		yield(wire.LogLine{}, err)
	}
}

// yieldAll yields lines but those seen, and says whether more are wanted.
func yieldAll(lines []wire.LogLine, seen map[string]bool, yield yieldLine) bool {
	for _, line := range lines {
		if !seen[line.ID] && !yield(line, nil) {
			return false
		}
		seen[line.ID] = true
	}
	return true
}

// forward reads to the end of the log, and what is added to it when that is
// followed.
func (l *logReader) forward(ctx context.Context, request wire.LogsRequest, seen map[string]bool, yield yieldLine) error {
	read := func() (more, stop bool, err error) {
		got, err := l.page(ctx, request)
		if err != nil || !yieldAll(got.Logs, seen, yield) {
			return false, true, err
		}
		if len(got.Logs) > 0 {
			clear(seen) // the next page begins after these
		}
		if got.NextOffset != "" {
			request.Offset = &got.NextOffset
		}
		return len(got.Logs) > 0, false, nil
	}
	if l.options.Follow {
		return l.follow(ctx, read)
	}
	for {
		if more, stop, err := read(); stop || !more {
			return err
		}
	}
}

// follow reads on until nothing is going to be added: it looks once more after
// it was told so, for what came in between.
func (l *logReader) follow(ctx context.Context, read func() (more, stop bool, err error)) error {
	last := false
	return poll(ctx, pause, func() (more, done bool, err error) {
		more, stop, err := read()
		if err != nil || stop || more {
			return more, stop && err == nil, err
		}
		if last {
			return false, true, nil
		}
		last, err = l.ended(ctx)
		return last, false, err
	})
}

// tail reads the last lines, oldest first.
func (l *logReader) tail(ctx context.Context) ([]wire.LogLine, error) {
	request := l.request()
	request.Order = new("desc")
	var lines []wire.LogLine
	for len(lines) < l.options.Tail {
		request.Limit = new(min(linesPerPage, l.options.Tail-len(lines)))
		got, err := l.page(ctx, request)
		if err != nil {
			return nil, err
		}
		lines = append(lines, got.Logs...)
		if len(got.Logs) < *request.Limit {
			break
		}
		request.Offset = &got.NextOffset
	}
	slices.Reverse(lines)
	return lines, nil
}

func (l *logReader) request() wire.LogsRequest {
	r := wire.LogsRequest{Order: new("asc"), Limit: new(linesPerPage)}
	if l.options.Level != "" {
		r.Level = &l.options.Level
	}
	if l.options.Contains != "" {
		r.Query = &l.options.Contains
	}
	if !l.options.Since.IsZero() {
		r.StartTime = new(wire.NewTime(l.options.Since).String())
	}
	return r
}

func (l *logReader) page(ctx context.Context, in wire.LogsRequest) (wire.LogsPage, error) {
	var out wire.LogsPage
	err := l.client.do(ctx, call{method: http.MethodPost, path: l.path, in: in, out: &out, safe: true})
	return out, err
}
