package langsmith

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/store"
)

// errSlow is of a client that stopped in the middle of its request.
var errSlow = errors.New("langsmith: the rest of the request does not come")

// detail is what a refusal says.
type detail struct {
	Detail string `json:"detail"`
	Error  string `json:"error,omitempty"`
}

// statusOf is the one place where an error becomes an HTTP status. SDKs drop
// what is answered with 429, so that nothing is.
var statusOf = map[slipway.Code]int{
	slipway.CodeInvalid:         http.StatusBadRequest,
	slipway.CodeUnauthenticated: http.StatusUnauthorized,
	slipway.CodeForbidden:       http.StatusForbidden,
	slipway.CodeNotFound:        http.StatusNotFound,
	slipway.CodeConflict:        http.StatusConflict,
	slipway.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	slipway.CodeFull:            http.StatusServiceUnavailable,
	slipway.CodeRateLimited:     http.StatusServiceUnavailable,
	slipway.CodeUnavailable:     http.StatusServiceUnavailable,
}

// exportAfter is when OpenTelemetry's exporters are to send again, in seconds. They
// do so after 503, and drop what SDKs would send again after 408 and 500.
const exportAfter = "5"

// refuse answers with an error: its own text if it is for the caller, else that
// something is wrong with us, which is logged.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, said := http.StatusInternalServerError, detail{Detail: "Internal Server Error"}
	e, expected := errors.AsType[*slipway.Error](err)
	switch {
	case expected:
		status, said = statusOf[e.Code], detail{e.Text, e.Reason}
		if e.After > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.After.Seconds()))))
		}
	case errors.Is(err, errSlow):
		status, said.Detail = http.StatusRequestTimeout, "Nothing came for "+h.Stalled.String()+". Send the request again."
	case errors.Is(err, trace.ErrDuplicate):
		status, said.Detail = http.StatusConflict, "The run was posted before. Nothing has changed."
	case errors.Is(err, store.ErrClosed):
		status, said.Detail = http.StatusServiceUnavailable, "The server stops. Send the request again."
	case r.Context().Err() == nil:
		h.Logger.Error("tracing request failed", slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Any("error", err))
	}
	if strings.HasSuffix(r.Pattern, exportPath) && (status == http.StatusInternalServerError || status == http.StatusRequestTimeout) {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", exportAfter)
	}
	if status == http.StatusConflict {
		w.Header().Set("X-Should-Retry", "false")
	}
	answer(w, status, said)
}

func answer(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(content)
}
