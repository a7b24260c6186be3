package engine_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/internal/engine"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// An engine that takes connections and says nothing is not waited for by who may not
// wait, though somebody else does.
func TestAnEngineThatSaysNothing(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := make(chan net.Conn, 100)
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			taken <- conn
		}
	}()
	e, err := engine.Open("unix://" + socket)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	go func() { _, _ = e.ContainerList(t.Context(), client.ContainerListOptions{}) }()
	defer testsignal.Receive(t, "its connection", taken).Close()
	inspected := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := e.ContainerInspect(ctx, "x", client.ContainerInspectOptions{})
		inspected <- err
	}()
	if err := testsignal.Receive(t, "an answer", inspected); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("told: %v", err)
	}
}
