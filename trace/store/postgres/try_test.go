package postgres // how long a try lasts is not for others

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/internal/testsignal"
)

// A database that takes connections and says nothing holds nobody up for longer
// than a try.
func TestNobodyAnswers(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	pool, err := sql.Open("pgx", "postgres://u@"+silent.Addr().String()+"/d?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		e := &Engine{pool, 10 * time.Millisecond}
		_, err := e.Days(context.WithoutCancel(t.Context()))
		ended <- err
	}()
	if err := testsignal.Receive(t, "the end of the try", ended); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}
