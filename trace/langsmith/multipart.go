package langsmith

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// takeMultipart takes operations whose fields are parts of a form:
// post.<id>, patch.<id>, <one of them>.<field>, attachment.<id>.<name>. Parts
// feedback.<id> are passed over.
func (h *Handler) takeMultipart(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	if err := h.Room(); err != nil {
		return err
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return slipway.Errorf(slipway.CodeInvalid, "Content-Type must be multipart/form-data with a boundary.")
	}
	b, err := h.openBody(w, r)
	if err != nil {
		return err
	}
	f := &form{intake: h.newIntake(who, b), at: map[partKey]*sent{}}
	defer f.close(r.Context())
	if err := f.read(r.Context(), multipart.NewReader(b.buffered(), params["boundary"])); err != nil {
		return err
	}
	return f.finish(r.Context(), w)
}

// form is a multipart request.
type form struct {
	*intake
	at map[partKey]*sent
}

type partKey struct {
	kind trace.Kind
	id   trace.ID
}

func (f *form) read(ctx context.Context, parts *multipart.Reader) error {
	for n := 0; ; n++ {
		part, err := parts.NextRawPart()
		if err == io.EOF && n == 0 {
			return slipway.Errorf(slipway.CodeInvalid, "The request has no parts: name them post.<id>, patch.<id>, post.<id>.inputs and so on.")
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return unreadable(err)
		}
		if err := f.body.hold(runCost); err != nil {
			return err
		}
		if err := f.take(ctx, part); err != nil {
			return err
		}
	}
}

// take reads a part. What is wrong with its content is remembered for its run;
// an error is of the whole request.
func (f *form) take(ctx context.Context, part *multipart.Part) error {
	n, err := parsePartName(formName(part))
	switch {
	case err != nil:
		f.sent = append(f.sent, &sent{err: err})
		return nil
	case n.what == "feedback":
		return nil
	case n.what == "attachment":
		return f.takeFile(ctx, n, part)
	}
	s := f.operation(n)
	if n.field == "" {
		return f.takeBody(s, part)
	}
	read := f.readValue
	if n.field == "error" {
		read = f.readError
	}
	c, err := read(ctx, part, sizeOf(part))
	if errors.Is(err, errNoJSON) {
		s.fail(aboutRun(n.id, "part "+formName(part), err))
		return nil
	}
	if err == nil {
		s.fail(s.setField(n.field, c))
	}
	return err
}

// operation is that which a part belongs to.
func (f *form) operation(n partName) *sent {
	key := partKey{n.kind, n.id}
	s := f.at[key]
	if s == nil {
		s = f.add(n.kind, n.id)
		f.at[key] = s
	}
	return s
}

// takeBody reads the run itself, whose identity the part's name has.
func (f *form) takeBody(s *sent, part *multipart.Part) error {
	text, whole, err := f.readHead(part, sizeOf(part))
	switch {
	case err != nil:
		return err
	case s.told:
		s.fail(slipway.Errorf(slipway.CodeInvalid, "Run %s is in the request twice.", s.Run.ID))
	case !whole:
		s.fail(slipway.Errorf(slipway.CodeTooLarge, "Run %s: send its inputs, outputs and other large fields as parts of their own.", s.Run.ID))
	default:
		s.told = true
		s.fail(s.read(text))
	}
	return nil
}

// takeFile reads an attachment, which goes with the operation of its run in the
// same request, else with one of its own.
func (f *form) takeFile(ctx context.Context, n partName, part *multipart.Part) error {
	s := f.at[partKey{trace.Post, n.id}]
	if s == nil {
		s = f.operation(partName{kind: trace.Patch, id: n.id})
	}
	c, err := f.readFile(ctx, part, sizeOf(part))
	if err != nil {
		return err
	}
	if s.Run.Attachments == nil {
		s.Run.Attachments = map[string]trace.Attachment{}
	}
	s.Run.Attachments[n.field] = trace.Attachment{Type: mediaType(part), Content: c}
	return nil
}

// formName is the name of a part. SDKs write it in one way, for which no grammar is
// needed.
func formName(part *multipart.Part) string {
	said := part.Header.Get("Content-Disposition")
	if name, ok := strings.CutPrefix(said, `form-data; name="`); ok {
		if end := strings.IndexAny(name, `"\`); end >= 0 && name[end:] == `"` {
			return name[:end]
		}
	}
	return part.FormName()
}

// partName is what the name of a part says.
type partName struct {
	what  string // post, patch, attachment or feedback
	kind  trace.Kind
	id    trace.ID
	field string // or the name of an attachment
}

func parsePartName(name string) (n partName, err error) {
	what, rest, _ := strings.Cut(name, ".")
	id, field, _ := strings.Cut(rest, ".")
	n = partName{what: what, field: field}
	switch what {
	case "post":
		n.kind = trace.Post
	case "patch":
		n.kind = trace.Patch
	case "feedback":
		return n, nil
	case "attachment":
		if field == "" {
			return n, slipway.Errorf(slipway.CodeInvalid, "Part %.200q: an attachment's is named attachment.<id>.<name>.", name)
		}
	default:
		return n, slipway.Errorf(slipway.CodeInvalid, "Part %.200q is not understood: name parts post.<id>, patch.<id>, attachment.<id>.<name> or feedback.<id>.", name)
	}
	if n.id, err = trace.ParseID(id); err != nil {
		return n, slipway.Errorf(slipway.CodeInvalid, "Part %.200q: %v", name, err)
	}
	return n, nil
}

// sizeOf is how long a part says that it is, 0 if it does not. It is a hint.
func sizeOf(part *multipart.Part) int64 {
	n, err := strconv.ParseInt(part.Header.Get("Content-Length"), 10, 64)
	if err == nil {
		return n
	}
	_, length, _ := strings.Cut(part.Header.Get("Content-Type"), "length=")
	n, _ = strconv.ParseInt(length, 10, 64)
	return n
}

// mediaType is that of an attachment, without the length that SDKs put there.
func mediaType(part *multipart.Part) string {
	kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if err != nil {
		return "application/octet-stream"
	}
	delete(params, "length")
	return mime.FormatMediaType(kind, params)
}
