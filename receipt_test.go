package slipway_test

import (
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
)

func TestCheckRequestKey(t *testing.T) {
	for key, ok := range map[string]bool{
		"": false, "a": true, "8e03978e-40d5-43e8-bc93-6894a57f9324": true, `!"~`: true, strings.Repeat("x", 255): true,
		strings.Repeat("x", 256): false, "a b": false, "a\tb": false, "ü": false, "\x7f": false, "a\x00": false,
	} {
		if err := slipway.CheckRequestKey(key); (err == nil) != ok || err != nil && slipway.CodeOf(err) != slipway.CodeInvalid {
			t.Errorf("%q: %v", key, err)
		}
	}
}
