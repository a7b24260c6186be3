package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"syscall"
)

// refusal is an answer that the caller is meant to read. Its code is the
// distribution protocol's.
type refusal struct {
	status  int
	code    string
	message string
}

func (r *refusal) Error() string { return r.message }

func refuse(status int, code, format string, args ...any) error {
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}

func unauthorized(format string, args ...any) error {
	return refuse(http.StatusUnauthorized, "UNAUTHORIZED", format, args...)
}

func denied(format string, args ...any) error {
	return refuse(http.StatusForbidden, "DENIED", format, args...)
}

func noSuchBlob(digest string) error {
	return refuse(http.StatusNotFound, "BLOB_UNKNOWN", "There is no blob %s in this repository.", digest)
}

func noSuchManifest(at string) error {
	return refuse(http.StatusNotFound, "MANIFEST_UNKNOWN", "There is no image %s in this repository.", at)
}

func badManifest(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "MANIFEST_INVALID", format, args...)
}

// answerError answers with an error: a refusal as it is, anything else as ours,
// which is logged.
func (r *Registry) answerError(w http.ResponseWriter, q *http.Request, err error) {
	refused, expected := errors.AsType[*refusal](err)
	switch {
	case expected:
	case errors.Is(err, errRemoved):
		refused = &refusal{http.StatusUnauthorized, "UNAUTHORIZED", "The deployment is being deleted."}
	case errors.Is(err, syscall.ENOSPC):
		refused = &refusal{http.StatusInsufficientStorage, "UNKNOWN", "The disk of the server is full."}
	default:
		refused = &refusal{http.StatusInternalServerError, "UNKNOWN", "Internal Server Error"}
	}
	if !expected && !errors.Is(err, errRemoved) && q.Context().Err() == nil {
		r.config.Logger.Error("registry request failed", slog.String("method", q.Method), slog.String("path", q.URL.Path), slog.Any("error", err))
	}
	r.done.count(countRefusal(refused.code))
	if refused.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="Slipway registry"`)
	}
	answerJSON(w, refused.status, map[string]any{"errors": []map[string]string{{"code": refused.code, "message": refused.message}}})
}

func answerJSON(w http.ResponseWriter, status int, content any) {
	body, _ := json.Marshal(content)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
