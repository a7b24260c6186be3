package gateway

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/slipwayhq/slipway"
)

// retryAfter is when a client should try again what is not possible now.
const retryAfter = "5"

func errUnknown(name string) error {
	return slipway.Errorf(slipway.CodeNotFound, "Deployment %s not found.", strconv.Quote(name))
}

func errDown(reason string) error {
	return slipway.Errorf(slipway.CodeUnavailable, "%s", or(reason, "The deployment is not available. Its status and its log say why: slipway status, slipway logs."))
}

func errCrowded() error {
	return slipway.Errorf(slipway.CodeUnavailable, "Too many requests are waiting for the deployment. Try again in a moment; if it stays away, its status and its log say why: slipway status, slipway logs.")
}

func errFull(most int) error {
	return slipway.Errorf(slipway.CodeUnavailable, "The deployment has %d requests open, as many as this server lets in. Try again when some have ended, or have the server's limit of open files raised.", most)
}

func errTooLarge(limit int64) error {
	return slipway.Errorf(slipway.CodeTooLarge, "The request body is larger than %d bytes.", limit)
}

// answer tells a client of an error. What is not an error of the domain is the
// agent's fault.
func answer(w http.ResponseWriter, err error) {
	status, text := http.StatusBadGateway, "The agent did not answer. The deployment's log may say why: slipway logs."
	h := w.Header()
	if e, ok := errors.AsType[*slipway.Error](err); ok {
		status, text = statusOf(e.Code), e.Text
	} else if err == errSlow {
		status, text = http.StatusRequestTimeout, "The rest of the request body did not come in time."
		h.Set("Connection", "close") // what comes now is no request
	}
	body, _ := json.Marshal(map[string]string{"detail": text})
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	if e, ok := errors.AsType[*slipway.Error](err); ok && e.After > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.After.Seconds()))))
	}
	w.WriteHeader(status)
	_, err = w.Write(body)
	_ = err // the client has left
}

func statusOf(code slipway.Code) int {
	switch code {
	case slipway.CodeInvalid:
		return http.StatusBadRequest
	case slipway.CodeUnauthenticated:
		return http.StatusUnauthorized
	case slipway.CodeForbidden:
		return http.StatusForbidden
	case slipway.CodeNotFound:
		return http.StatusNotFound
	case slipway.CodeRateLimited:
		return http.StatusTooManyRequests
	case slipway.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case slipway.CodeNotImplemented:
		return http.StatusNotImplemented
	}
	return http.StatusServiceUnavailable
}
