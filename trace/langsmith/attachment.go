package langsmith

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// attachmentsFor is how long the address of an attachment is good. SDKs fetch
// them at once.
const attachmentsFor = time.Hour

// attachmentURL is where an attachment is fetched without a key.
func (h *Handler) attachmentURL(base string, r *trace.Run, name string) string {
	expires := strconv.FormatInt(h.Now().Add(attachmentsFor).Unix(), 10)
	id, w := r.ID.String(), string(r.Workspace)
	q := url.Values{"workspace": {w}, "expires": {expires}, "signature": {h.Signer.Sign(attachmentMessage(w, id, name, expires))}}
	return base + "/api/v1/runs/" + id + "/attachments/" + url.PathEscape(name) + "?" + q.Encode()
}

// attachmentMessage is what is signed. The name comes last: it may have anything
// in it.
func attachmentMessage(workspace, run, name, expires string) string {
	return "attachment/" + workspace + "/" + run + "/" + expires + "/" + name
}

// getAttachment serves a file as one that browsers keep rather than show: it may
// be anybody's, and is under our name.
func (h *Handler) getAttachment(w http.ResponseWriter, r *http.Request) error {
	q, run, name := r.URL.Query(), r.PathValue("run"), r.PathValue("name")
	expires, err := strconv.ParseInt(q.Get("expires"), 10, 64)
	if err != nil || !h.Signer.Verify(attachmentMessage(q.Get("workspace"), run, name, q.Get("expires")), q.Get("signature")) {
		return slipway.Errorf(slipway.CodeForbidden, "The signature of this address is not valid.")
	}
	if h.Now().After(time.Unix(expires, 0)) {
		return slipway.Errorf(slipway.CodeForbidden, "This address has expired. Read the run again for a new one.")
	}
	id, err := trace.ParseID(run)
	if err != nil {
		return err
	}
	found, err := h.visibleRun(r.Context(), slipway.Principal{Workspace: slipway.WorkspaceID(q.Get("workspace"))}, id, trace.FieldAttachments)
	if err != nil {
		return err
	}
	a, ok := found.Attachments[name]
	if !ok {
		return slipway.Errorf(slipway.CodeNotFound, "Run %s has no attachment %q.", id, name)
	}
	kept, err := h.Runs.Open(r.Context(), a.Content)
	if errors.Is(err, slipway.ErrNoRow) {
		return slipway.Errorf(slipway.CodeNotFound, "Run %s was removed.", id)
	}
	if err != nil {
		return err
	}
	defer kept.Close()
	header := w.Header()
	header.Set("Content-Type", a.Type)
	header.Set("Content-Length", strconv.FormatInt(a.Size, 10))
	header.Set("Content-Disposition", "attachment")
	header.Set("Content-Security-Policy", "sandbox")
	header.Set("X-Content-Type-Options", "nosniff")
	if _, err := io.Copy(w, kept); err != nil && r.Context().Err() == nil {
		return errors.Join(http.ErrAbortHandler, err)
	}
	return nil
}
