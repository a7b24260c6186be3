package access_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/access"
)

// limited returns how long a refused call is to wait, 0 if it was not limited.
func limited(err error) time.Duration {
	if e, ok := errors.AsType[*slipway.Error](err); ok && e.Code == slipway.CodeRateLimited {
		return e.After
	}
	return 0
}

func TestEachKeyHasItsRate(t *testing.T) {
	s := newSetting(t, access.Config{Rate: 2, Burst: 3})
	one, two := s.key("one", func(*slipway.Key) {}), s.key("two", func(*slipway.Key) {})
	for i := range 3 {
		if _, err := s.ask(one); err != nil {
			t.Errorf("request %d of a burst of 3: %v", i+1, err)
		}
	}
	if _, err := s.ask(one); limited(err) != 500*time.Millisecond {
		t.Errorf("the fourth: %v, %v", err, limited(err))
	}
	if _, err := s.ask(two); err != nil {
		t.Errorf("another key: %v", err)
	}
	for range 100 {
		if _, err := s.Identify(t.Context(), slipway.Credential{Token: one}); err != nil {
			t.Fatalf("agents' traffic: %v", err)
		}
	}
	s.now = s.now.Add(500 * time.Millisecond)
	if _, err := s.ask(one); err != nil {
		t.Errorf("half a second later: %v", err)
	}
	if _, err := s.ask(one); limited(err) == 0 {
		t.Errorf("and again: %v", err)
	}
}

func TestGuessesAreLimitedByAddress(t *testing.T) {
	s := newSetting(t, access.Config{Guesses: 1, GuessBurst: 5})
	good := s.key("good", func(*slipway.Key) {})
	fresh := s.key("fresh", func(*slipway.Key) {})
	from := func(address, token string) error {
		_, err := s.Authenticate(t.Context(), slipway.Caller{Credential: slipway.Credential{Token: token}, Address: address})
		return err
	}
	if err := from("192.0.2.1:1000", good); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := from(fmt.Sprintf("192.0.2.1:%d", 2000+i), slipway.NewToken()); slipway.CodeOf(err) != slipway.CodeUnauthenticated {
			t.Fatalf("guess %d: %v", i+1, err)
		}
	}
	if err := from("192.0.2.1:3000", slipway.NewToken()); limited(err) != time.Second {
		t.Errorf("the sixth: %v", err)
	}
	if err := from("192.0.2.1:3000", fresh); limited(err) == 0 {
		t.Errorf("a right one that was not seen before: %v", err)
	}
	if err := from("192.0.2.2:3000", fresh); err != nil {
		t.Errorf("from another address: %v", err)
	}
	s.now = s.now.Add(500 * time.Millisecond)
	s.Forget()
	if err := from("192.0.2.2:3000", fresh); err != nil {
		t.Errorf("from another address, later: %v", err)
	}
	if err := from("192.0.2.1:3000", ""); slipway.CodeOf(err) != slipway.CodeUnauthenticated {
		t.Errorf("no token is no guess: %v", err)
	}
	s.now = s.now.Add(500 * time.Millisecond)
	if err := from("192.0.2.1:3000", fresh); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

// Whoever shares an address with a guesser, and has a key, can go on.
func TestAKnownKeyIsNoGuess(t *testing.T) {
	s := newSetting(t, access.Config{Guesses: 1, GuessBurst: 5})
	good := s.key("good", func(*slipway.Key) {})
	ask := func(token string) error {
		_, err := s.Authenticate(t.Context(), slipway.Caller{Credential: slipway.Credential{Token: token}, Address: "[2001:db8::1]:80"})
		return err
	}
	if err := ask(good); err != nil {
		t.Fatal(err)
	}
	for i := 0; limited(ask(slipway.NewToken())) == 0; i++ {
		if i > 10 {
			t.Fatal("guesses are not limited")
		}
	}
	s.now = s.now.Add(3 * time.Second)
	for i := 0; limited(ask(slipway.NewToken())) == 0; i++ {
		if i > 10 {
			t.Fatal("guesses are not limited any more")
		}
	}
	if err := ask(good); err != nil {
		t.Errorf("a key that was right three seconds ago: %v", err)
	}
}
