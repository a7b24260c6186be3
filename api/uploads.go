package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// CreateUploadURL hands out an address that needs no key: it is signed, and
// ends (contract §5).
func (s *server) CreateUploadURL(ctx context.Context, r wire.CreateUploadURLRequestObject) (wire.CreateUploadURLResponseObject, error) {
	u, err := s.Control.NewUpload(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID))
	if err != nil {
		return nil, err
	}
	expires := strconv.FormatInt(u.ExpiresAt.Unix(), 10)
	return wire.CreateUploadURL200JSONResponse{
		ObjectPath: u.Object,
		UploadURL:  base(ctx) + "/uploads/" + string(u.ID) + "?expires=" + expires + "&signature=" + s.Signer.Sign(uploadMessage(string(u.ID), expires)),
	}, nil
}

func uploadMessage(id, expires string) string { return "upload/" + id + "/" + expires }

func (s *server) receiveUpload(w http.ResponseWriter, r *http.Request) {
	if err := s.takeUpload(r); err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (s *server) takeUpload(r *http.Request) error {
	id, query := r.PathValue("upload_id"), r.URL.Query()
	expires, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	if err != nil || !s.Signer.Verify(uploadMessage(id, query.Get("expires")), query.Get("signature")) {
		return slipway.Errorf(slipway.CodeForbidden, "The signature of this upload URL is not valid.")
	}
	if time.Now().After(time.Unix(expires, 0)) {
		return slipway.Errorf(slipway.CodeForbidden, "This upload URL has expired. Ask for a new one.")
	}
	if r.ContentLength > slipway.MaxUpload {
		return slipway.Errorf(slipway.CodeTooLarge, "The source is larger than %d MiB.", slipway.MaxUpload>>20)
	}
	return s.Control.ReceiveUpload(r.Context(), slipway.UploadID(id), r.Body)
}
