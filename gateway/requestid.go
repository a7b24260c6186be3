package gateway

import (
	"encoding/hex"
	"math/rand/v2"
	"net/http"
)

// requestID names a request to the agent, to the client and in the access
// log.
const requestID = "X-Request-Id"

const maxRequestID = 128

// identify names a request, by what its client calls it if that can stand in a
// log. The name is no secret, and nothing relies on it.
func (o *observer) identify(h http.Header) {
	if given := h[requestID]; len(given) == 1 && isRequestID(given[0]) {
		o.id[0] = given[0]
		return
	}
	o.id[0] = newRequestID()
	h[requestID] = o.id[:]
}

func newRequestID() string {
	var raw [16]byte
	for i := 0; i < len(raw); i += 8 {
		n := rand.Uint64()
		for j := range 8 {
			raw[i+j] = byte(n >> (8 * j))
		}
	}
	var text [2 * len(raw)]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}

func isRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' || id[i] == '"' || id[i] == '\\' {
			return false
		}
	}
	return true
}
