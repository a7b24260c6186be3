package main

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
)

func masked(name string) wire.Secret { return wire.Secret{Name: name, Value: "********"} }

// watched is an output that calls then when a part has been printed to it.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
	part string
	then func()
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(b)
	if w.then != nil && strings.Contains(w.text.String(), w.part) {
		w.then()
		w.then = nil
	}
	return len(b), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// A log can not steer the terminal that shows it.
func TestAside(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out)
	s.aside("a \x1b[31mred\x1b[0m \x1b]0;title\x07 line\rover\nnext\tone\n")
	if want := "          a red ]0;title lineover\n          next\tone\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	s.colour = true
	s.aside("x")
	if want := "\x1b[2mx\x1b[0m"; !strings.Contains(out.String(), want) {
		t.Errorf("got %q", out.String())
	}
}

// Nobody thinks that it hangs, and what is in the way of a deletion is named.
func TestReassure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &progress{screen: newScreen(&out), begun: time.Now(), status: "BUILDING"}
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second+time.Millisecond)
		defer cancel()
		p.screen.reassure(ctx, p.stillGoing)
		if want := "    10.0s … still BUILDING\n    20.0s … still BUILDING\n"; out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
		out.Reset()
		d := &deletionProgress{screen: newScreen(&out), begun: time.Now()}
		d.last.State, d.last.Items = "stopping", []wire.DeletionItem{{Kind: "route", Ref: "echo"}, {Kind: "instance", Ref: "i1", Error: new("busy")}}
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		d.screen.reassure(ctx, d.stillGoing)
		if want := "    10.0s … still stopping: instance i1\n"; out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}
