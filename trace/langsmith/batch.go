package langsmith

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// maxJSON bounds a request that is one piece of JSON, in bytes.
const maxJSON = 32 << 20

// readJSON reads a whole request.
func (b *body) readJSON(into any) error {
	text, err := io.ReadAll(io.LimitReader(b, maxJSON+1))
	if err != nil {
		return unreadable(err)
	}
	if len(text) > maxJSON {
		return slipway.Errorf(slipway.CodeTooLarge, "A request in JSON has at most %d MiB: send large runs to /runs/multipart.", maxJSON>>20)
	}
	if err := b.hold(int64(len(text))); err != nil {
		return err
	}
	return decode(text, into)
}

// takeBatch takes operations in one piece of JSON.
func (h *Handler) takeBatch(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	return h.take(w, r, who, func(in *intake) error {
		var batch struct {
			Post  json.RawMessage `json:"post"`
			Patch json.RawMessage `json:"patch"`
		}
		if err := in.body.readJSON(&batch); err != nil {
			return err
		}
		if err := in.addAll(trace.Post, batch.Post); err != nil {
			return err
		}
		if err := in.addAll(trace.Patch, batch.Patch); err != nil {
			return err
		}
		if len(in.sent) == 0 {
			return slipway.Errorf(slipway.CodeInvalid, "The batch has no runs: send {\"post\": [run], \"patch\": [run]}.")
		}
		return nil
	})
}

// addAll adds an operation for each run of a list.
func (in *intake) addAll(kind trace.Kind, runs json.RawMessage) error {
	for run, err := range elementsOf(runs) {
		if err == nil {
			err = in.body.hold(runCost)
		}
		if err != nil {
			return err
		}
		s := in.add(kind, trace.ID{})
		s.fail(s.read(run))
	}
	return nil
}

func (h *Handler) take(w http.ResponseWriter, r *http.Request, who slipway.Principal, gather func(*intake) error) error {
	if err := h.Room(); err != nil {
		return err
	}
	b, err := h.openBody(w, r)
	if err != nil {
		return err
	}
	in := h.newIntake(who, b)
	defer in.close(r.Context())
	if err := gather(in); err != nil {
		return err
	}
	return in.finish(r.Context(), w)
}

// postRun takes one run. Below a parent it may come without a place in the
// trace, if the parent is known.
func (h *Handler) postRun(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	return h.take(w, r, who, func(in *intake) error {
		s, err := in.one(trace.Post, trace.ID{})
		if err == nil && s.Run.Order == "" && !s.Run.Root() {
			err = in.placeBelow(r.Context(), s)
		}
		return err
	})
}

func (h *Handler) patchRun(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	id, err := trace.ParseID(r.PathValue("run"))
	if err != nil {
		return err
	}
	return h.take(w, r, who, func(in *intake) error {
		_, err := in.one(trace.Patch, id)
		return err
	})
}

func (in *intake) one(kind trace.Kind, id trace.ID) (*sent, error) {
	var run json.RawMessage
	if err := in.body.readJSON(&run); err != nil {
		return nil, err
	}
	s := in.add(kind, id)
	return s, s.read(run)
}

// placeBelow finds a run's place by its parent.
func (in *intake) placeBelow(ctx context.Context, s *sent) error {
	parent, err := in.h.visibleRun(ctx, in.who, s.Run.Parent, 0)
	if slipway.CodeOf(err) == slipway.CodeNotFound || parent.Order == "" && err == nil {
		return nil // the check says what is missing
	}
	if err != nil {
		return err
	}
	s.Run.Trace, s.Run.Order = parent.Trace, parent.Order.With(s.Run.Start, s.Run.ID)
	return nil
}
