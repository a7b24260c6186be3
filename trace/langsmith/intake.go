package langsmith

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// defaultProject is where runs go of which nobody says where, as the SDKs have it.
const defaultProject = "default"

// runCost is what a run, or a part of one, takes of memory besides its content,
// about.
const runCost = 1 << 10

// intake gathers the operations of a request and writes them at once.
type intake struct {
	h    *Handler
	who  slipway.Principal
	body *body

	sent     []*sent
	projects map[string]project
	large    map[string]trace.Content // by the names of their blobs; to be discarded unless they are written
}

// sent is an operation as it was sent.
type sent struct {
	trace.Op
	projectName string
	projectID   slipway.ProjectID
	told        bool  // the run itself was, and not only a part of it
	err         error // what is wrong with it
}

type project struct {
	id  slipway.ProjectID
	err error
}

func (h *Handler) newIntake(who slipway.Principal, b *body) *intake {
	return &intake{h: h, who: who, body: b, projects: map[string]project{}, large: map[string]trace.Content{}}
}

// add begins another operation.
func (in *intake) add(kind trace.Kind, id trace.ID) *sent {
	s := &sent{Op: trace.Op{Kind: kind, Run: trace.Run{ID: id, Workspace: in.who.Workspace}}}
	in.sent = append(in.sent, s)
	return s
}

// fail remembers the first thing that is wrong with an operation.
func (s *sent) fail(err error) {
	if s.err == nil && err != nil {
		s.err = err
	}
}

// outcome is what became of a request's operations.
type outcome struct {
	kept, duplicates int
	refused          []error
}

// write keeps the operations in which nothing is wrong. An error is that of the
// whole: all can be sent again.
func (in *intake) write(ctx context.Context) (outcome, error) {
	var out outcome
	ops := make([]trace.Op, 0, len(in.sent))
	for _, s := range in.sent {
		if err := in.place(ctx, s); err == nil {
			s.Run.Usage = usageOf(&s.Run)
			ops = append(ops, s.Op)
		} else if err = refusal(err); slipway.CodeOf(err) == "" {
			return out, err
		} else {
			out.refused = append(out.refused, err)
		}
	}
	if len(ops) == 0 {
		return out, nil
	}
	for _, o := range ops {
		in.handOver(&o.Run)
	}
	errs, err := in.h.Runs.Write(ctx, ops)
	if err != nil {
		return out, err
	}
	for _, err := range errs {
		switch {
		case err == nil:
			out.kept++
		case errors.Is(err, trace.ErrDuplicate):
			out.duplicates++
		default:
			out.refused = append(out.refused, refusal(err))
		}
	}
	return out, nil
}

// refusal has nobody told 404, for which SDKs give up multipart.
func refusal(err error) error {
	if slipway.CodeOf(err) == slipway.CodeNotFound {
		return slipway.Errorf(slipway.CodeInvalid, "%v", err)
	}
	return err
}

// handOver leaves large values to whoever writes the run.
func (in *intake) handOver(r *trace.Run) {
	for _, c := range []trace.Content{r.Inputs, r.Outputs, r.Extra, r.Events, r.Serialized} {
		delete(in.large, c.Blob)
	}
	for _, a := range r.Attachments {
		delete(in.large, a.Blob)
	}
}

// place says in which project a run is.
func (in *intake) place(ctx context.Context, s *sent) error {
	if s.err != nil {
		return s.err
	}
	p := in.projectOf(ctx, s)
	s.Run.Project = p.id
	if in.who.Deployment != "" {
		s.Within = p.id // an agent sees no other
	}
	return p.err
}

// projectOf is where a run goes, none for a patch that does not say.
func (in *intake) projectOf(ctx context.Context, s *sent) project {
	key := "name/" + s.projectName
	switch {
	case s.projectID != "":
		key = "id/" + string(s.projectID)
	case s.projectName == "" && s.Kind == trace.Patch && in.who.Deployment == "":
		return project{}
	}
	p, known := in.projects[key]
	if !known {
		p.id, p.err = in.findProject(ctx, s.projectID, s.projectName)
		in.projects[key] = p
	}
	return p
}

func (in *intake) findProject(ctx context.Context, id slipway.ProjectID, name string) (slipway.ProjectID, error) {
	if id != "" {
		p, err := in.h.Projects.GetProject(ctx, in.who, id)
		return p.ID, err
	}
	if name == "" && in.who.Deployment != "" {
		own, err := in.h.Projects.ListProjects(ctx, in.who, slipway.ProjectFilter{Limit: 1})
		if err != nil || len(own) == 0 {
			return "", errors.Join(err, slipway.Errorf(slipway.CodeInvalid, "The deployment of this API key has no tracing project."))
		}
		return own[0].ID, nil
	}
	if name == "" {
		name = defaultProject
	}
	p, err := in.h.Projects.ProjectNamed(ctx, in.who, name)
	return p.ID, err
}

// close gives back what the request took.
func (in *intake) close(ctx context.Context) {
	for _, c := range in.large {
		if err := in.h.Runs.Discard(context.WithoutCancel(ctx), c); err != nil {
			in.h.Logger.Warn("a value that no run has is left behind", slog.Any("error", err))
		}
	}
	in.body.close()
}

// finish writes what was gathered and answers.
func (in *intake) finish(ctx context.Context, w http.ResponseWriter) error {
	out, err := in.write(ctx)
	if err != nil {
		return err
	}
	if err := out.err(); err != nil {
		return err
	}
	answer(w, http.StatusAccepted, map[string]int{"accepted": out.kept, "duplicates": out.duplicates})
	return nil
}

// err says what was wrong, if anything was. Duplicates are nothing wrong beside
// others that are new: the request may have been sent again.
func (o *outcome) err() error {
	switch n := len(o.refused); {
	case n == 1 && o.kept+o.duplicates == 0:
		return o.refused[0]
	case n > 0:
		first, _ := errors.AsType[*slipway.Error](o.refused[0])
		if first == nil {
			return o.refused[0]
		}
		return slipway.Errorf(first.Code, "%d of %d runs are refused, the others are kept. The first: %s", n, n+o.kept+o.duplicates, first.Text)
	case o.kept == 0 && o.duplicates > 0:
		return trace.ErrDuplicate
	}
	return nil
}

// aboutRun says which run, and what of it, an error is about.
func aboutRun(id trace.ID, what string, err error) error {
	e, ok := errors.AsType[*slipway.Error](err)
	if !ok || e.Code != slipway.CodeInvalid {
		return err
	}
	return slipway.Errorf(slipway.CodeInvalid, "Run %s: %s: %s", id, what, e.Text)
}
