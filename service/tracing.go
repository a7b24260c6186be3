package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/slipwayhq/slipway"
)

// Tracing is where the traces of agents go. With the zero value agents trace to
// this server, and nothing is kept of that.
type Tracing struct {
	Off  bool   // agents are told of no place for traces
	Runs Traces // where the runs of projects lie; nil for nowhere
	// Endpoint is that of another installation, to which agents trace with its
	// Key; "" for this server. Make sees to it that a project is there, under its
	// name; nil where there is nothing to make.
	Endpoint, Key string
	Make          func(context.Context, slipway.TracingProject) error
}

// Traces are the runs of tracing projects.
type Traces interface {
	// DeleteProject removes some of a project's runs, with what belongs to them,
	// and says how many are left. It is called until none are: a call that dies in
	// the middle is taken up by the next.
	DeleteProject(ctx context.Context, id slipway.ProjectID) (left int, err error)
}

// tendAtOnce bounds how many projects are looked after before anything else is.
const tendAtOnce = 16

// clearRuns removes some of what was traced to a project, and says whether there
// is more.
func (s *Service) clearRuns(ctx context.Context, id slipway.ProjectID) (more bool, err error) {
	if s.config.Tracing.Runs == nil {
		return false, nil
	}
	left, err := s.config.Tracing.Runs.DeleteProject(ctx, id)
	return err == nil && left > 0, err
}

// tendProjects removes projects that are to go by themselves, and makes those
// that are to be made elsewhere. One that fails is in no other's way.
func (s *Service) tendProjects(ctx context.Context) error {
	var due []slipway.TracingProject
	err := s.read(ctx, func(c *change) (err error) {
		due, err = c.ProjectsDue(c.now, tendAtOnce)
		return err
	})
	for _, p := range due {
		more, failed := s.tend(ctx, p)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed != nil {
			s.config.Logger.Warn("a tracing project could not be looked after, it is tried again", slog.String("project", string(p.ID)),
				slog.String("name", p.Name), slog.Bool("remove", p.Hidden), slog.Any("error", failed))
		}
		err = errors.Join(err, s.change(ctx, func(c *change) error { return c.tended(p, more, failed) }))
	}
	return wrap("look after tracing projects", err)
}

// tend takes one step.
func (s *Service) tend(ctx context.Context, p slipway.TracingProject) (more bool, err error) {
	switch {
	case p.Hidden:
		return s.clearRuns(ctx, p.ID)
	case s.config.Tracing.Make != nil:
		return false, s.config.Tracing.Make(ctx, p)
	}
	return false, nil // it was to be made, and traces do not go there any more
}

// tended writes how a step went, unless something else is wanted by now.
func (c *change) tended(was slipway.TracingProject, more bool, failed error) error {
	p, err := c.Project(was.ID)
	switch {
	case errors.Is(err, slipway.ErrNoRow), err == nil && (p.Hidden != was.Hidden || p.Name != was.Name || p.DueAt.IsZero()):
		return nil
	case err != nil:
		return fmt.Errorf("read tracing project: %w", err)
	case failed != nil:
		p.Attempts++
		p.DueAt = c.now.Add(clearBackoff.After(p.Attempts))
	case more:
		p.DueAt = c.now // behind the others
	case p.Hidden:
		return c.Tx.DeleteProject(p.ID)
	default:
		p.DueAt, p.Attempts = time.Time{}, 0
	}
	return c.Tx.UpdateProject(p)
}
